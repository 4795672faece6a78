"""`processor`: turns queued webhooks into statuses, and publishes the changes."""

import asyncio
from collections.abc import Awaitable, Callable

from worker.commands.support.service_command import service_command
from worker.settings.tree import Settings

_DESCRIPTION = """Takes webhooks from the queue in batches, derives each contact's status and commits it; publishes
status changes. Start as many processors as you like: any order of events gives the same statuses.

examples:
  bouncekeeper processor --config /etc/bouncekeeper.toml
  bouncekeeper processor --processor-batch-max-events 1000 --logs-format console
"""


def _service() -> Callable[[Settings, asyncio.Event], Awaitable[None]]:
    from worker.processor.service import run_processor  # noqa: PLC0415 - costs time that --help has not

    return run_processor


COMMANDS = {
    "processor": service_command(
        "processor",
        description=_DESCRIPTION,
        needs=("postgres", "queue", "processor", "logs", "sources", "endpoints"),
        find_service=_service,
    )
}
