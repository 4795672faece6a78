"""Shared by `up` and `stack`: their configuration, their data folder and their Postgres."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from schemas.source import Secret
from worker.commands.support.demo_folder import use_demo_folder
from worker.commands.support.first_run import configuration_file
from worker.commands.support.listeners import base_url
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, overrides_of
from worker.errors import ImpossibleSetting
from worker.local_services.instance import Instance, InstanceRecord
from worker.settings.configuration import ALL_SECTIONS
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.commands.support.upgrade import Upgrade

# The queue of `up` if the configuration names none.
QUEUE_IN_POSTGRES = {"queue.adapter": "postgres"}
_SHARED_SECTIONS = ("receiver.", "api.", "queue.", "postgres.")


def add_instance_flags(parser: ArgumentParser) -> None:
    """Every setting as a flag, and `--demo`."""
    parser.add_argument(
        "--demo",
        action="store_true",
        help="uses the demo's own folder, with a source for each ESP and keys to sign",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, ALL_SECTIONS)


def instance_configuration(arguments: Namespace) -> Path:
    """The configuration file, or the demo's. Makes it if there is none, and sets `arguments.config` to it.

    Raises ImpossibleSetting.
    """
    if arguments.demo:
        use_demo_folder(arguments)
    file = configuration_file(arguments)
    arguments.config = str(file)
    return file


@contextmanager
def held_instance(settings: Settings, arguments: Namespace) -> Iterator[Instance]:
    """Locks the data folder inside the block, and tells other commands there the addresses and the queue.

    Ignores a folder that cannot be made or written to: code that stores something there reports it.
    Raises ImpossibleSetting if another instance runs there.
    """
    folder = Path(settings.data_directory)
    instance = Instance(
        folder,
        command=arguments.command,
        config_file=Path(arguments.config),
        settings={**_flags_to_repeat(arguments), **_addresses(settings)},
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        other = instance.hold()
    except OSError:
        other = None
    if other is not None:
        raise ImpossibleSetting(_already_running(folder, other))
    try:
        yield instance
    finally:
        instance.release()


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "receiver.host": settings.receiver.host,
        "receiver.port": str(settings.receiver.port),
        "api.host": settings.api.host,
        "api.port": str(settings.api.port),
        "queue.adapter": settings.queue.adapter,
    }


def _flags_to_repeat(arguments: Namespace) -> dict[str, str]:
    """The flags that other commands need to find the same services, with absolute file names."""
    flags = {path: text for path, text in overrides_of(arguments).items() if path.startswith(_SHARED_SECTIONS)}
    return {
        path: str(Path(text).expanduser().absolute()) if path in {"postgres.url_file", "queue.url_file"} else text
        for path, text in flags.items()
        if path != "api.tokens_files"
    }


def _already_running(folder: Path, other: InstanceRecord) -> str:
    def url(section: str) -> str:
        settings = other.settings
        return base_url(settings[f"{section}.host"], int(settings[f"{section}.port"]))

    process = f", process {other.process_id}" if other.process_id else ""
    return (
        f"Bouncekeeper is already running in {folder} (`{other.command}`{process}): ESPs post to "
        f"{url('receiver')}/webhooks/<source>, and the API is at {url('api')}. "
        "End that one first, or choose another folder with --data-directory and other ports."
    )


async def with_migrated_postgres(settings: Settings, services: AsyncExitStack) -> "tuple[Settings, Upgrade]":
    """The settings with the URL of a migrated Postgres, the configured one, else the embedded one; and what was done.

    The configuration's policy is in force then.

    `services` ends the embedded one. Raises the errors of starting and migrating.
    """
    from worker.commands.support.upgrade import upgrade_database  # noqa: PLC0415 - costs time that --help has not

    if not settings.postgres.url.reveal():
        from worker.local_services.postgres import EmbeddedPostgres  # noqa: PLC0415 - only where it is used

        folder = Path(settings.data_directory) / "postgres"
        server = await services.enter_async_context(await EmbeddedPostgres.start(folder))
        postgres = msgspec.structs.replace(settings.postgres, url=Secret(server.dsn))
        settings = msgspec.structs.replace(settings, postgres=postgres)
    return settings, await upgrade_database(settings, applies_policy=True)
