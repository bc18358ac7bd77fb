"""Scenarios: sources, receivers and what lies between them."""
