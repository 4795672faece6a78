"""Commands as a person runs them, on a database of the test."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.commands.warm_start import REPOSITORY, Outcome, run_command


class Shell:
    """Runs `bouncekeeper` in a folder with this configuration; `dsn` is its Postgres."""

    def __init__(self, *, folder: Path, dsn: str, configuration: str = "") -> None:
        self._folder = folder
        file = folder / "bouncekeeper.toml"
        file.write_text(f'[postgres]\nurl = "{dsn}"\n[queue]\nadapter = "postgres"\n{configuration}')

    async def run(self, *words: str) -> Outcome:
        """The command's status, its standard output and what it wrote to stderr."""
        return await asyncio.to_thread(run_command, words, folder=self._folder, environment=dict(os.environ))

    async def start(self, *words: str, stdin: int | None = None) -> asyncio.subprocess.Process:
        """The command as it runs."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", *words),
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
        )
