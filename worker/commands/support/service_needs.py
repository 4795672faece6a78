"""The sections of the configuration that each service needs: it has their flags, and reads their secrets."""

SERVICE_NEEDS = {
    "receiver": ("postgres", "queue", "receiver", "connections", "logs", "traces", "sources", "unsubscribe"),
    "processor": ("postgres", "queue", "processor", "summary", "logs", "traces", "sources", "endpoints"),
    "api": ("postgres", "api", "connections", "safelist", "recheck", "logs", "traces", "unsubscribe"),
    "mailbox": ("postgres", "queue", "mailbox", "logs", "traces", "sources"),
}


def services_that_need(section: str) -> tuple[str, ...]:
    """The services that read the secrets of the section."""
    return tuple(service for service, sections in SERVICE_NEEDS.items() if section in sections)
