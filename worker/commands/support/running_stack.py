"""The production topology of `stack`: it finds or starts the services and watches the processes. Slow to import."""

import asyncio
import contextlib
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import msgspec

from schemas.source import Secret
from worker.commands.support.instance import held_instance, with_migrated_postgres
from worker.commands.support.listeners import require_free_ports, wait_until_listening
from worker.commands.support.running import Stop
from worker.commands.support.setting_flags import overrides_of
from worker.commands.support.startup_notice import print_startup_notice
from worker.commands.support.supervisor import WatchedProcess, supervise
from worker.commands.support.upgrade import Upgrade
from worker.local_services.folder import told_as_mistakes
from worker.local_services.instance import Instance
from worker.local_services.rabbitmq_choice import start_rabbitmq
from worker.local_services.whole_file import write_anew
from worker.providers.mail.imap_options import has_mailbox
from worker.settings.configuration_file import CONFIG_VARIABLE
from worker.settings.declarations import ENVIRONMENT_PREFIX
from worker.settings.tree import Settings

BROKER_URL_NAME = "rabbitmq-url"


async def run_stack(settings: Settings, arguments: Namespace, stop: Stop, *, config_file: Path) -> None:
    """Runs the stack until `stop`. Raises the errors of starting and migrating, StopTheProcess, and Interrupted."""
    async with contextlib.AsyncExitStack() as services:
        instance = services.enter_context(held_instance(settings, arguments))
        complete, upgrade = await stop.unless_set(_with_services(settings, services))
        broker_url_file = _publish_broker_url(instance, complete)
        environment = _environment(arguments, complete)
        watching = asyncio.ensure_future(supervise(_processes(arguments, environment, complete), stop))
        try:
            await stop.unless_set(wait_until_listening(complete))
            print_startup_notice(
                complete,
                arguments,
                config_file=config_file,
                broker_url_file=broker_url_file,
                policy=upgrade.policy,
            )
            await asyncio.wait({watching})
        finally:
            stop.set()
            await watching  # an error comes out here


async def _with_services(settings: Settings, services: contextlib.AsyncExitStack) -> tuple[Settings, Upgrade]:
    """The settings with a running RabbitMQ and a running, migrated Postgres; starts them if necessary."""
    await require_free_ports(settings)
    folder = Path(settings.data_directory) / "rabbitmq"
    url = settings.queue.url
    broker = await services.enter_async_context(await start_rabbitmq(folder, url=None if url is None else url.reveal()))
    queue = msgspec.structs.replace(settings.queue, url=Secret(broker.url))
    return await with_migrated_postgres(msgspec.structs.replace(settings, queue=queue), services)


def _publish_broker_url(instance: Instance, settings: Settings) -> Path:
    """Lets other commands use this broker. Returns the file with its URL, which only the owner can read."""
    url = settings.queue.url.reveal() if settings.queue.url else ""
    folder = Path(settings.data_directory)
    with told_as_mistakes(folder):
        instance.add({"queue.url": url, "queue.url_file": ""})
        write_anew(folder / BROKER_URL_NAME, f"{url}\n")
    return folder / BROKER_URL_NAME


def _environment(arguments: Namespace, settings: Settings) -> dict[str, str]:
    """The environment of the processes: our flags as variables, and the URLs of the services."""
    flags = {
        ENVIRONMENT_PREFIX + path.replace(".", "_").upper(): text for path, text in overrides_of(arguments).items()
    }
    # The secrets themselves replace the files of secrets: both together would be a contradiction.
    for replaced in ("POSTGRES_URL_FILE", "QUEUE_URL_FILE"):
        flags[ENVIRONMENT_PREFIX + replaced] = ""
    return {
        **flags,
        CONFIG_VARIABLE: arguments.config,
        f"{ENVIRONMENT_PREFIX}POSTGRES_URL": settings.postgres.url.reveal(),
        f"{ENVIRONMENT_PREFIX}QUEUE_ADAPTER": "rabbitmq",
        f"{ENVIRONMENT_PREFIX}QUEUE_URL": settings.queue.url.reveal() if settings.queue.url else "",
    }


def _processes(arguments: Namespace, environment: Mapping[str, str], settings: Settings) -> list[WatchedProcess]:
    specs = [
        *(("receiver", f"receiver-{number}", {}) for number in range(1, arguments.receivers + 1)),
        *(
            ("processor", f"processor-{number}", _probe_port(settings, number))
            for number in range(1, arguments.processors + 1)
        ),
        ("api", "api", {}),
        *((("mailbox", "mailbox", {}),) if any(has_mailbox(source) for source in settings.sources) else ()),
    ]
    return [
        WatchedProcess(
            name=name, command=(sys.executable, "-m", "worker", command), environment={**environment, **extra}
        )
        for command, name, extra in specs
    ]


def _probe_port(settings: Settings, number: int) -> dict[str, str]:
    """Each processor of this machine has its own probe port, counted from the configured one."""
    if not settings.processor.port:
        return {}
    return {f"{ENVIRONMENT_PREFIX}PROCESSOR_PORT": str(settings.processor.port + number - 1)}
