"""A Postgres whose operator makes mistakes about the user of our processes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg

from tests.standby import ask
from tests.waiting import until
from worker.local_services.postgres import EmbeddedPostgres
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings

USER = "mail_process"
ROLES = "bouncekeeper_receiver, bouncekeeper_processor, bouncekeeper_api"
_END_SESSIONS = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{USER}'"  # noqa: S608


class RejectingServer:
    """A Postgres whose operator makes mistakes about one user."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path) -> None:
        self.owner_dsn = postgres.dsn
        self.dsn = f"postgresql://{USER}:its-password@127.0.0.1:{postgres.port}/bouncekeeper"
        self.log = folder / "postgres.log"
        self._rules = folder / "cluster" / "pg_hba.conf"
        self._rules_before = self._rules.read_text()

    async def make_user(self) -> None:
        """With the rights of receiver, processor and API."""
        await self.do(f"CREATE ROLE {USER} LOGIN PASSWORD 'its-password' IN ROLE {ROLES}")

    async def do(self, statement: str) -> None:
        await ask(self.owner_dsn, statement)

    async def end_sessions(self) -> None:
        """Those of the user, as time and failovers do."""
        await self.do(_END_SESSIONS)

    async def reload_rules(self, added: str = "") -> None:
        """Writes pg_hba.conf with these lines first, and waits until the server goes by it."""
        self._rules.write_text(added + self._rules_before)
        await self.do("SELECT pg_reload_conf()")

        async def are_in_force() -> bool:
            return await self.rejects() == bool(added)

        await until(are_in_force, "the server to read pg_hba.conf")

    async def rejects(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn)
        except asyncpg.PostgresError:
            return True
        await connection.close()
        return False


def settings_of(server: RejectingServer, **overrides: str) -> Settings:
    values = {"postgres.url": server.dsn, "queue.adapter": "postgres", **overrides}
    return load_settings(config_file=None, environment={}, overrides=values)


def rejections(lines: Sequence[Mapping[str, object]]) -> list[object]:
    return [line["reason"] for line in lines if line["event"] == "postgres.rejected"]
