"""Measures the classifiers on labelled tickets by other authors; no part of the product, no data in the repository."""
