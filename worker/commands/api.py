"""`api`: the HTTP API for applications and operators."""

from worker.commands.support.service_command import service_command

_DESCRIPTION = """Serves POST /v1/check, GET /v1/contacts/ADDRESS, GET /v1/status-changes, /healthz, /readyz and
/metrics. Needs a token if it listens beyond this machine.

examples:
  bouncekeeper api --config /etc/bouncekeeper.toml
  bouncekeeper api --api-host 0.0.0.0 --api-tokens-files /run/secrets/api_token
"""

COMMANDS = {
    "api": service_command(
        "api",
        description=_DESCRIPTION,
    )
}
