"""All services in this process, for `up`, and for `demo` if no instance runs. Slow to import."""

import asyncio
import contextlib
from argparse import Namespace
from collections.abc import AsyncIterator

from worker.api.service import run_api
from worker.commands.mailbox import fetch_beside_others
from worker.commands.support.instance import held_instance, with_migrated_postgres
from worker.commands.support.listeners import require_free_ports, wait_until_listening
from worker.commands.support.processing import run_processing
from worker.commands.support.running import Stop, run_together
from worker.commands.support.upgrade import Upgrade
from worker.providers.mail.imap_options import has_mailbox
from worker.receiver.service import run_receiver
from worker.settings.tree import Settings


@contextlib.asynccontextmanager
async def running_instance(
    settings: Settings, arguments: Namespace, stop: Stop
) -> AsyncIterator[tuple[Settings, asyncio.Future[None], Upgrade]]:
    """A running instance: its settings with the database's URL, a future that is done when it has ended, its upgrade.

    Starts the embedded Postgres if no URL is configured. Leaving the block ends everything, Postgres last. Raises
    ImpossibleSetting, the errors of starting and migrating, and Interrupted.
    """
    with held_instance(settings, arguments):
        async with contextlib.AsyncExitStack() as stack:
            settings, upgrade = await stop.unless_set(_with_services(settings, stack))
            work = [
                lambda stop: run_receiver(settings, stop),
                lambda stop: run_processing(settings, stop),
                lambda stop: run_api(settings, stop),
            ]
            if any(has_mailbox(source) for source in settings.sources):
                work.append(lambda stop: fetch_beside_others(settings, stop))
            services = asyncio.ensure_future(run_together(stop, *work))
            try:
                await stop.unless_set(wait_until_listening(settings))
                yield settings, services, upgrade
            finally:
                stop.set()
                await services  # an error comes out here


async def _with_services(settings: Settings, services: contextlib.AsyncExitStack) -> tuple[Settings, Upgrade]:
    await require_free_ports(settings)
    return await with_migrated_postgres(settings, services)
