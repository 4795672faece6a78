"""`up`: everything in one process, with the embedded Postgres if none is configured."""

from argparse import ArgumentParser, Namespace

from worker.commands.catalogue import Command
from worker.commands.support.instance import QUEUE_IN_POSTGRES, add_instance_flags, instance_configuration
from worker.commands.support.running import Stop, run_service
from worker.commands.support.setting_flags import settings_of
from worker.commands.support.startup_notice import print_startup_notice


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Starts receiver, processor and API in one process, for a first look and for small senders. Without
postgres.url it keeps a Postgres of its own in the data folder. Without a configuration file it makes
one there, with a fresh API token. The data survive restarts.

examples:
  bouncekeeper up
  bouncekeeper up --data-directory /var/lib/bouncekeeper --receiver-port 9025
  bouncekeeper up --demo           the instance of `bouncekeeper demo`, in the folder demo
"""
    parser.epilog = "SIGTERM or Ctrl-C ends it after its accepted work; a second one ends it at once."
    add_instance_flags(parser)


def _run(arguments: Namespace) -> int:
    from worker.commands.support.running_instance import running_instance  # noqa: PLC0415 - imports everything

    config_file = instance_configuration(arguments)
    settings = settings_of(arguments, starts_postgres=True, joins_instance=False, fallbacks=QUEUE_IN_POSTGRES)

    async def work(stop: Stop) -> None:
        async with running_instance(settings, arguments, stop) as (complete, ended, upgrade):
            print_startup_notice(complete, arguments, config_file=config_file, policy=upgrade.policy)
            await ended

    return run_service(settings, "up", work)


COMMANDS = {"up": Command(_configure, _run)}
