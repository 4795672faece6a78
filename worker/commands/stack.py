"""`stack`: the production topology on this machine, without Docker."""

import asyncio
import contextlib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

import msgspec

from schemas.source import Secret
from worker.commands.catalogue import Command
from worker.commands.instance import add_instance_flags, instance_configuration, with_migrated_postgres
from worker.commands.running import run_service
from worker.commands.setting_flags import at_least_one, overrides_of, settings_of
from worker.commands.supervisor import WatchedProcess, supervise
from worker.commands.welcome import require_free_ports, tell_welcome, wait_until_listening
from worker.providers.mail.imap_options import has_mailbox
from worker.settings import ALL_SECTIONS
from worker.settings_declarations import ENVIRONMENT_PREFIX
from worker.settings_file import CONFIG_VARIABLE
from worker.settings_tree import Settings


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Starts RabbitMQ (queue.url, else one of this machine), Postgres (postgres.url, else the embedded one),
migrates, then runs receivers that share one port, workers and the API as processes of their own. One of them
that crashes is started again, RabbitMQ and Postgres are not; Ctrl-C ends them all in good order.

examples:
  bouncekeeper stack
  bouncekeeper stack --receivers 2 --workers 4 --config production.toml
"""
    parser.add_argument("--receivers", type=at_least_one, default=2, metavar="N", help="(default %(default)s)")
    parser.add_argument("--workers", type=at_least_one, default=2, metavar="N", help="(default %(default)s)")
    add_instance_flags(parser)


def _run(arguments: Namespace) -> int:
    config_file = instance_configuration(arguments)
    settings = settings_of(arguments, needs=ALL_SECTIONS - {"queue"}, starts_postgres=True)

    async def work(stop: asyncio.Event) -> None:
        await require_free_ports(settings)
        async with contextlib.AsyncExitStack() as services:
            complete = await _with_services(settings, services)
            environment = _environment(arguments, complete)
            watching = asyncio.ensure_future(supervise(_processes(arguments, environment, complete), stop))
            ready = asyncio.ensure_future(wait_until_listening(complete))
            await asyncio.wait({watching, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not watching.done():
                tell_welcome(complete, config_file=config_file, as_json=arguments.json)
            ready.cancel()
            await watching

    return run_service(settings, "stack", work)


async def _with_services(settings: Settings, services: contextlib.AsyncExitStack) -> Settings:
    """The settings with a Postgres and a RabbitMQ that run, found or started; the database migrated."""
    from worker.local_services.rabbitmq import start_rabbitmq  # noqa: PLC0415 - only where it is used

    folder = Path(settings.data_directory) / "rabbitmq"
    url = settings.queue.url
    broker = await services.enter_async_context(await start_rabbitmq(folder, url=None if url is None else url.reveal()))
    queue = msgspec.structs.replace(settings.queue, adapter="rabbitmq", url=Secret(broker.url))
    return await with_migrated_postgres(msgspec.structs.replace(settings, queue=queue), services)


def _environment(arguments: Namespace, settings: Settings) -> dict[str, str]:
    """What the processes are told: our flags as variables, and where the services are."""
    flags = {
        ENVIRONMENT_PREFIX + path.replace(".", "_").upper(): text for path, text in overrides_of(arguments).items()
    }
    # Files of secrets give way to the secrets themselves: both at once would be a contradiction.
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
    wanted = [
        *(("receive", f"receive-{number}", {}) for number in range(1, arguments.receivers + 1)),
        *(("work", f"work-{number}", _worker_port(settings, number)) for number in range(1, arguments.workers + 1)),
        ("api", "api", {}),
        *((("fetch-mail", "fetch-mail", {}),) if any(has_mailbox(source) for source in settings.sources) else ()),
    ]
    return [
        WatchedProcess(
            name=name, command=(sys.executable, "-m", "worker", command), environment={**environment, **its_own}
        )
        for command, name, its_own in wanted
    ]


def _worker_port(settings: Settings, number: int) -> dict[str, str]:
    """The workers of one machine tell of themselves on ports side by side, from the configured one on."""
    if not settings.processor.port:
        return {}
    return {f"{ENVIRONMENT_PREFIX}PROCESSOR_PORT": str(settings.processor.port + number - 1)}


COMMANDS = {"stack": Command(_configure, _run)}
