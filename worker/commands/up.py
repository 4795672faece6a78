"""`up`: everything in one process, with a Postgres of its own where none is given."""

import asyncio
import contextlib
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator

from worker.commands.catalogue import Command
from worker.commands.instance import add_instance_flags, instance_configuration, with_migrated_postgres
from worker.commands.running import run_service, run_together
from worker.commands.setting_flags import settings_of
from worker.commands.welcome import require_free_ports, tell_welcome, wait_until_listening
from worker.settings_tree import Settings


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Starts receiver, worker and API in one process: for a first look and for small senders. Without
postgres.url it keeps a Postgres of its own in the data folder; without a configuration file it makes
one there, with a fresh API token. The data survives restarts.

examples:
  bouncekeeper up
  bouncekeeper up --data-directory /var/lib/bouncekeeper --receiver-port 9025
  bouncekeeper up --demo           an instance of its own for `bouncekeeper demo`, in the folder demo
"""
    parser.epilog = "SIGTERM or Ctrl-C finishes what was accepted and ends; a second one ends at once."
    add_instance_flags(parser)


def _run(arguments: Namespace) -> int:
    config_file = instance_configuration(arguments)
    settings = settings_of(arguments, starts_postgres=True)

    async def work(stop: asyncio.Event) -> None:
        async with running_instance(settings, stop) as (complete, ended):
            tell_welcome(complete, config_file=config_file, as_json=arguments.json)
            await ended

    return run_service(settings, "up", work)


@contextlib.asynccontextmanager
async def running_instance(
    settings: Settings, stop: asyncio.Event
) -> AsyncIterator[tuple[Settings, asyncio.Future[None]]]:
    """Everything in this process, ready for work: the settings with the database's URL, and when it has ended.

    The embedded Postgres is started where no URL is given, and ends last. Leaving the block ends it all.
    """
    from worker.api.service import run_api  # noqa: PLC0415 - only what this process needs
    from worker.processor.service import run_processor  # noqa: PLC0415
    from worker.providers.mail.imap_options import has_mailbox  # noqa: PLC0415
    from worker.receiver.service import run_receiver  # noqa: PLC0415

    await require_free_ports(settings)
    async with contextlib.AsyncExitStack() as stack:
        settings = await with_migrated_postgres(settings, stack)
        work = [
            lambda stop: run_receiver(settings, stop),
            lambda stop: run_processor(settings, stop),
            lambda stop: run_api(settings, stop),
        ]
        if any(has_mailbox(source) for source in settings.sources):
            from worker.commands.fetch_mail import fetch_beside_others  # noqa: PLC0415 - few need it

            work.append(lambda stop: fetch_beside_others(settings, stop))
        services = asyncio.ensure_future(run_together(stop, *work))
        try:
            ready = asyncio.ensure_future(wait_until_listening(settings))
            await asyncio.wait({services, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            if services.done():
                await services  # an error comes out here
            yield settings, services
        finally:
            stop.set()
            if not services.done():
                await services


COMMANDS = {"up": Command(_configure, _run)}
