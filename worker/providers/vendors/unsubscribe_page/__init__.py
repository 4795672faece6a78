"""Unsubscribe links, and what people ask for by them."""
