"""`stack`: the production topology on this machine, without Docker."""

from argparse import ArgumentParser, Namespace

from worker.commands.catalogue import Command
from worker.commands.support.instance import add_instance_flags, instance_configuration
from worker.commands.support.running import Stop, run_service
from worker.commands.support.setting_flags import count_argument, settings_of


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Starts RabbitMQ (unless queue.url names one) and Postgres (unless postgres.url names one), migrates the database,
then runs receivers that share one port, processors and the API, each as a process of its own. If one of these
crashes, it is started again; RabbitMQ and Postgres are not. Ctrl-C ends all of them in order.

examples:
  bouncekeeper stack
  bouncekeeper stack --receivers 2 --processors 4 --config production.toml
"""
    parser.add_argument("--receivers", type=count_argument(1_000), default=2, metavar="N", help="(default %(default)s)")
    parser.add_argument(
        "--processors", type=count_argument(1_000), default=2, metavar="N", help="(default %(default)s)"
    )
    add_instance_flags(parser)


def _run(arguments: Namespace) -> int:
    from worker.commands.support.running_stack import run_stack  # noqa: PLC0415 - imports everything

    config_file = instance_configuration(arguments)
    settings = settings_of(arguments, starts_postgres=True, starts_broker=True, joins_instance=False)

    async def work(stop: Stop) -> None:
        await run_stack(settings, arguments, stop, config_file=config_file)

    return run_service(settings, "stack", work)


COMMANDS = {"stack": Command(_configure, _run)}
