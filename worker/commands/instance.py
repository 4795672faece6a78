"""What `up` and `stack` share: whose configuration they run with, and the Postgres that they keep."""

from argparse import ArgumentParser, Namespace
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from schemas.source import Secret
from worker.commands.demo_folder import demo_configuration
from worker.commands.first_run import configuration_file
from worker.commands.setting_flags import add_setting_flags, add_shared_flags
from worker.settings import ALL_SECTIONS
from worker.settings_tree import Settings


def add_instance_flags(parser: ArgumentParser) -> None:
    """Every setting as a flag, and `--demo`."""
    parser.add_argument(
        "--demo",
        action="store_true",
        help="uses the demo's own folder, with a source for each ESP and keys to sign with",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, ALL_SECTIONS)


def instance_configuration(arguments: Namespace) -> Path:
    """The configuration file, made when there is none, or the demo's; `arguments` name it from here on.

    Raises ImpossibleSetting.
    """
    if arguments.demo:
        arguments.config = str(demo_configuration(arguments))
    found = configuration_file(arguments)
    arguments.config = str(found)
    return found


async def with_migrated_postgres(settings: Settings, services: AsyncExitStack) -> Settings:
    """The settings with the URL of a migrated Postgres: the given one, else the embedded one, which `services` end.

    Raises what starting and migrating raise.
    """
    from worker.store.migrations import migrate  # noqa: PLC0415 - costs time that --help has not

    if not settings.postgres.url.reveal():
        from worker.local_services.postgres import EmbeddedPostgres  # noqa: PLC0415 - only where it is used

        folder = Path(settings.data_directory) / "postgres"
        server = await services.enter_async_context(await EmbeddedPostgres.start(folder))
        postgres = msgspec.structs.replace(settings.postgres, url=Secret(server.dsn))
        settings = msgspec.structs.replace(settings, postgres=postgres)
    await migrate(settings.postgres.url.reveal())
    return settings
