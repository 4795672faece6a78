"""The durable queue: one port, two adapters, and one place that opens them."""
