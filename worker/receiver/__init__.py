"""The HTTP edge for vendors: authenticates webhooks, queues them, answers."""
