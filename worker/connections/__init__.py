"""Ports and their connections: limits on number and speed, and the caller's address behind proxies."""
