"""Ports and their connections: who may connect, how slowly he may speak, and who he is behind proxies."""
