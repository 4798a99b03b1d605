"""A pretend Zendesk and Freshdesk account for demos and tests; shares no code with Tandem."""
