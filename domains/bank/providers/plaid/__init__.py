"""Plaid: banks of the United States, Canada and Europe through one company's API."""
