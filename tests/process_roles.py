"""The roles of deploy/postgres-roles.sql, under which tests let processes work."""

from pathlib import Path

import asyncpg

ROLES_FILE = Path(__file__).parent.parent / "deploy" / "postgres-roles.sql"
PROCESSES = ("receiver", "processor", "api", "operator", "reader")


def as_process(dsn: str, process: str) -> str:
    """The URL of sessions that have the rights of this process: `bouncekeeper_<process>`."""
    return f"{dsn}{'&' if '?' in dsn else '?'}role=bouncekeeper_{process}"


async def make_roles(dsn: str) -> None:
    """Runs deploy/postgres-roles.sql in this database; the roles belong to the whole server."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(ROLES_FILE.read_text())
    finally:
        await connection.close()
