"""Unsubscribe links, and the requests that people make with them."""
