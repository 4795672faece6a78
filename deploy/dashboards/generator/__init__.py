"""Makes the dashboards and the alerts from what the program declares: `python -m deploy.dashboards.generator`."""
