"""`postgres`: runs one of Postgres' own programs on the database of this configuration."""

import asyncio
import os
import signal
from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from worker.commands.catalogue import Command
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import ImpossibleSetting
from worker.process.logs import configure_logging
from worker.settings.configuration import embedded_postgres_url
from worker.settings.tree import Settings

_NEEDS = ("postgres",)
_SIGNALLED = 128


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Runs a program with Postgres' own variables (PGHOST, PGUSER, PGPASSWORD …) set for the database of this
configuration, so that no password is on a command line. Without postgres.url that is the Postgres of `up`; if `up`
does not run, this Postgres runs while the program does. Its client programs need not be installed.

examples:
  bouncekeeper postgres psql
  bouncekeeper postgres pg_dump --format custom --file bouncekeeper.dump
  bouncekeeper postgres deploy/restore bouncekeeper.dump
"""
    parser.epilog = "The exit code is the program's."
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)
    parser.add_argument("program", metavar="PROGRAM", help="such as psql, pg_dump, deploy/restore")
    parser.add_argument("arguments", metavar="ARGUMENTS", nargs=REMAINDER, help="the program's own")


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS, starts_postgres=True)
    configure_logging(level="warning", json_lines=False)  # the output is the program's alone
    return asyncio.run(_run_program(settings, [arguments.program, *arguments.arguments]))


async def _run_program(settings: Settings, command: list[str]) -> int:
    async with _client_environment(settings) as environment:
        # Ctrl-C reaches the program through the terminal; this process ends when the program ends.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
        try:
            process = await asyncio.create_subprocess_exec(*command, env=environment)
        except OSError as error:
            raise ImpossibleSetting(
                f"the program {command[0]} cannot be run ({error.strerror}): install Postgres' client programs, or name"
                " another"
            ) from error
        status = await process.wait()
    return status if status >= 0 else _SIGNALLED - status


@asynccontextmanager
async def _client_environment(settings: Settings) -> AsyncIterator[Mapping[str, str]]:
    """This process's environment, with the variables of the database."""
    from worker.local_services.folder import FolderLock  # noqa: PLC0415
    from worker.local_services.postgres import EmbeddedPostgres, client_programs  # noqa: PLC0415 - slow to import

    path = os.environ.get("PATH", os.defpath)
    programs = client_programs()
    if url := settings.postgres.url.reveal():
        # The system's own programs first: they fit the server of the operator's choice.
        yield _environment(url, path if programs is None else f"{path}:{programs}")
        return
    folder = Path(settings.data_directory) / "postgres"
    url_of_up = embedded_postgres_url(Path(settings.data_directory))
    if url_of_up is None:
        raise ImpossibleSetting(
            f"there is no Postgres of `bouncekeeper up` in {folder}: run `up` there once, name another folder with"
            " --data-directory, or set postgres.url"
        )
    if FolderLock(folder / "lock").is_held():
        yield _environment(url_of_up.reveal(), f"{programs}:{path}")
        return
    async with await EmbeddedPostgres.start(folder) as server:
        yield _environment(server.dsn, f"{programs}:{path}")


def _environment(url: str, path: str) -> dict[str, str]:
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - slow to import
    from psycopg.pq import Conninfo  # noqa: PLC0415

    variables = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    options = conninfo_to_dict(url)
    others = {name: value for name, value in os.environ.items() if name not in variables.values()}
    ours = {variables[name]: str(value) for name, value in options.items() if name in variables and value is not None}
    return {**others, **ours, "PATH": path}


COMMANDS = {"postgres": Command(_configure, _run)}
