"""Measures how fast Tandem is, on the machine it runs on; no part of the product. One module per benchmark."""
