"""The two desks most tests have: a Zendesk one, `acme`, and a Freshdesk one, `globex`."""

ZENDESK_SECRET = "zendesk-signing-secret-1"
FRESHDESK_SECRET = "freshdesk-shared-secret-1"
SETTINGS = """
desks:
  acme:
    platform: zendesk
    url: https://acme.zendesk.com
    auth: {oauth: {client_id: tandem, client_secret: ${CLIENT_SECRET}}}
    webhook_secrets: [${ZENDESK_SECRET}]
  globex:
    platform: freshdesk
    url: https://globex.freshdesk.com
    auth: {api_key: ${API_KEY}}
    webhook_secrets: [${FRESHDESK_SECRET}]
"""
VARIABLES = {
    "CLIENT_SECRET": "client-secret-of-the-bot",
    "API_KEY": "api-key-of-the-bot",
    "ZENDESK_SECRET": ZENDESK_SECRET,
    "FRESHDESK_SECRET": FRESHDESK_SECRET,
}
