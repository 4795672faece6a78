"""`receive`, `work` and `api`: one service in one process, as many processes as one likes."""

import asyncio
from argparse import ArgumentParser, Namespace

from worker.commands.catalogue import Command
from worker.commands.support.running import run_service
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of

_NEEDS = {
    "receive": ("postgres", "queue", "receiver", "logs", "sources"),
    "work": ("postgres", "queue", "processor", "logs", "sources", "endpoints"),
    "api": ("postgres", "queue", "api", "logs"),
}
_SAYS = {
    "receive": """Listens for webhooks on POST /webhooks/SOURCE, authenticates them on their raw bytes and answers
success only once the queue has them on disk. Several receivers may share one port on Linux.

examples:
  bouncekeeper receive --config /etc/bouncekeeper.toml
  bouncekeeper receive --receiver-host 0.0.0.0 --receiver-port 80
  BOUNCEKEEPER_QUEUE_URL_FILE=/run/secrets/queue_url bouncekeeper receive
""",
    "work": """Takes webhooks off the queue in batches, works out what they mean for each contact and commits it;
publishes status changes. Start as many as you like: any order of events gives the same statuses.

examples:
  bouncekeeper work --config /etc/bouncekeeper.toml
  bouncekeeper work --processor-batch-max-events 1000 --logs-format console
""",
    "api": """Serves POST /v1/check, GET /v1/contacts/ADDRESS, GET /v1/status-changes, /healthz, /readyz and
/metrics. Needs a token as soon as it listens beyond this machine.

examples:
  bouncekeeper api --config /etc/bouncekeeper.toml
  bouncekeeper api --api-host 0.0.0.0 --api-tokens-files /run/secrets/api_token
""",
}


def _configure(parser: ArgumentParser) -> None:
    name = parser.get_default("command")
    parser.description = _SAYS[name]
    parser.epilog = "SIGTERM or Ctrl-C finishes what was accepted and ends; a second one ends at once."
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS[name])


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS[arguments.command])

    async def work(stop: asyncio.Event) -> None:
        if arguments.command == "receive":
            from worker.receiver.service import run_receiver  # noqa: PLC0415 - only what this process needs

            await run_receiver(settings, stop)
        elif arguments.command == "work":
            from worker.processor.service import run_processor  # noqa: PLC0415 - only what this process needs

            await run_processor(settings, stop)
        else:
            from worker.api.service import run_api  # noqa: PLC0415 - only what this process needs

            await run_api(settings, stop)

    return run_service(settings, arguments.command, work)


COMMANDS = dict.fromkeys(("receive", "work", "api"), Command(_configure, _run))
