"""The person at the command line."""

import getpass

from schemas.decision import Role
from worker.contacts.principal import Principal
from worker.process.logs import configure_logging
from worker.settings.tree import Settings


def person_here() -> Principal:
    """Who runs this command. Whoever can read the configuration may do everything."""
    return Principal(token_id=None, name=getpass.getuser(), role=Role.ADMINISTRATOR, account=None)


def log_acts(settings: Settings, command: str) -> None:
    """The acts of this command are lines of the log, on stderr."""
    configure_logging(
        level=settings.logs.level,
        json_lines=settings.logs.format == "json",
        show_addresses=settings.logs.show_addresses,
        process=command,
    )
