"""What every process has: logs, metrics, probes, stopping, waiting between tries."""
