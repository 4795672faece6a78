"""`demo`: sends a day of signed webhooks and shows the status of each contact afterwards."""

import contextlib
import os
import random
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from worker.commands.catalogue import Command
from worker.commands.support.demo_day import day_of_feedback, split_among
from worker.commands.support.demo_folder import demo_senders, source_name, use_demo_folder
from worker.commands.support.demo_result import DemoResult, print_result, wait_for_result
from worker.commands.support.demo_sending import is_running, post_all
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.instance import QUEUE_IN_POSTGRES
from worker.commands.support.listeners import base_url
from worker.commands.support.output import print_json, print_line
from worker.commands.support.running import Stop, run_service
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, count_argument, settings_of
from worker.errors import ImpossibleSetting
from worker.settings.configuration import embedded_postgres_url
from worker.settings.tree import Settings


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Sends a realistic day of webhooks from Amazon SES, SendGrid, Mailgun and Postmark, each signed as its ESP
signs, then shows the status of the contacts. It uses an instance of its own, in the folder `demo` of the data
folder: the one that `bouncekeeper up --demo` (or `stack --demo`) runs, else one that it starts and ends.

examples:
  bouncekeeper demo
  bouncekeeper demo --contacts 20000
"""
    parser.add_argument(
        "--contacts",
        type=count_argument(1_000_000),
        default=2000,
        metavar="N",
        help="how many people (default %(default)s)",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, ("postgres", "receiver", "api", "logs"))


def _run(arguments: Namespace) -> int:
    from worker.commands.support.running_instance import running_instance  # noqa: PLC0415 - imports everything

    folder = use_demo_folder(arguments)
    settings = settings_of(
        arguments, defaults={"logs.level": "warning"}, starts_postgres=True, fallbacks=QUEUE_IN_POSTGRES
    )
    results: list[DemoResult] = []

    @contextlib.asynccontextmanager
    async def instance(stop: Stop, url: str) -> AsyncIterator[Settings]:
        """The settings of the demo's instance: one that already runs, or one that this command starts and ends."""
        if await is_running(url):
            if embedded_postgres_url(folder) is None and not settings.postgres.url.reveal():
                raise ImpossibleSetting(
                    f"the instance that runs at {url} is not the demo's: choose other ports with --receiver-port and "
                    "--api-port"
                )
            if not arguments.json:
                print_line(f"using the instance that runs at {url}")
            yield settings_of(arguments, needs=("postgres", "sources"))
            return
        if not arguments.json:
            print_line("starting an instance for the demo …")
        async with running_instance(settings, arguments, stop) as (complete, _ended, _upgrade):
            yield complete

    async def work(stop: Stop) -> None:
        url = base_url(settings.receiver.host, settings.receiver.port)
        async with instance(stop, url) as complete:
            now = datetime.now(UTC)
            day = day_of_feedback(arguments.contacts, now=now, seed=random.randrange(2**32), tag=os.urandom(4).hex())  # noqa: S311 - a story, not a secret
            senders = demo_senders(folder)
            requests = [
                (f"{url}/webhooks/{source_name(sender)}", request)
                for sender, events in zip(senders, split_among(day, len(senders)), strict=True)
                for request in sender.requests(events, now=now)
            ]
            random.shuffle(requests)
            sent = await stop.unless_set(post_all(requests, quiet=arguments.json))
            results.append(await stop.unless_set(wait_for_result(complete, list(day), sent, quiet=arguments.json)))

    run_service(settings, "demo", work)
    if arguments.json:
        print_json(results[0])
    else:
        print_result(results[0], folder)
    return ExitCode.OK


COMMANDS = {"demo": Command(_configure, _run)}
