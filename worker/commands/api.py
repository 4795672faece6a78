"""`api`: the HTTP API for applications and operators."""

import asyncio
from collections.abc import Awaitable, Callable

from worker.commands.support.service_command import service_command
from worker.settings.tree import Settings

_DESCRIPTION = """Serves POST /v1/check, GET /v1/contacts/ADDRESS, GET /v1/status-changes, /healthz, /readyz and
/metrics. Needs a token if it listens beyond this machine.

examples:
  bouncekeeper api --config /etc/bouncekeeper.toml
  bouncekeeper api --api-host 0.0.0.0 --api-tokens-files /run/secrets/api_token
"""


def _service() -> Callable[[Settings, asyncio.Event], Awaitable[None]]:
    from worker.api.service import run_api  # noqa: PLC0415 - costs time that --help has not

    return run_api


COMMANDS = {
    "api": service_command(
        "api", description=_DESCRIPTION, needs=("postgres", "queue", "api", "logs"), find_service=_service
    )
}
