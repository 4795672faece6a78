"""An archive of a Postgres' log and a base backup, and what is restored of them: as an operator does it."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.standby import PROGRAMS, USER, answers, ask, make_folder, run, start_server, stop_server
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import ServiceProcess


class Archive:
    """Where the server copies each finished file of its write-ahead log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)

    @property
    def settings(self) -> Mapping[str, str]:
        """Those of a server that archives here."""
        command = f"test ! -f {self._folder}/%f && cp %p {self._folder}/%f"
        return {"archive_mode": "on", "archive_command": command}

    @property
    def restore_command(self) -> str:
        """How a server that is restored gets the files back."""
        return f"cp {self._folder}/%f %p"

    async def has_all_of(self, server: EmbeddedPostgres) -> None:
        """Ends the file that is being written, and returns when it lies here."""
        file = await ask(server.dsn, "SELECT pg_walfile_name(pg_switch_wal())")
        archived = f"SELECT last_archived_wal >= '{file}' FROM pg_stat_archiver"  # noqa: S608 - the server names it
        await answers(server.dsn, archived)


def back_up(server: EmbeddedPostgres, folder: Path) -> None:
    """A base backup, made while the server runs."""
    make_folder(folder)
    run(
        *("pg_basebackup", "--dbname", server.dsn_of("postgres"), "--pgdata", str(folder / "cluster")),
        *("--checkpoint", "fast"),
    )


class RestoredServer:
    """A server on a copy of the backup, brought to a moment: `name` or `time` of recovery_target_…, and its value."""

    def __init__(self, folder: Path, *, port: int, dsn: str) -> None:
        self.dsn = dsn
        self._folder = folder
        self._port = port
        self._process: ServiceProcess | None = None

    async def restore(
        self,
        backup: Path,
        archive: Archive,
        *,
        target: str,
        value: str,
        archives_on: bool = True,
        timeline: str = "latest",
    ) -> None:
        """Runs, and takes writes, when this returns.

        A server that is only tried must not archive: the next restore would take its history for the right one.
        """
        await asyncio.to_thread(self._copy, backup)
        settings = {
            "restore_command": archive.restore_command,
            f"recovery_target_{target}": value,
            "recovery_target_timeline": timeline,
            "recovery_target_action": "promote",
            "archive_mode": "on" if archives_on else "off",
        }
        self._process = start_server(PROGRAMS, self._folder / "cluster", self._port, settings=settings)
        await answers(self.dsn, "SELECT NOT pg_is_in_recovery()")

    async def stop(self) -> None:
        """Ends it in good order, if it runs."""
        if self._process is not None:
            await stop_server(self._process)
            self._process = None

    def _copy(self, backup: Path) -> None:
        make_folder(self._folder)
        cluster = self._folder / "cluster"
        shutil.copytree(backup / "cluster", cluster, symlinks=True)
        (cluster / "recovery.signal").touch()
        if USER is not None:
            for path in (cluster, *cluster.rglob("*")):
                shutil.chown(path, USER, USER)
        cluster.chmod(0o700)
