"""Every board, from logs and from metrics."""

from deploy.dashboards.generator.boards import contacts, delivery, flow, people, sources

BOARDS = (
    flow.LOGS,
    contacts.LOGS,
    sources.LOGS,
    people.LOGS,
    delivery.LOGS,
    flow.METRICS,
    contacts.METRICS,
    sources.METRICS,
    people.METRICS,
)
