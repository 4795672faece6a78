"""Signed sample webhooks of every provider, for demos, tests and `sources test`."""
