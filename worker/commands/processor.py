"""`processor`: turns queued webhooks into statuses, and publishes the changes."""

from worker.commands.support.service_command import service_command

_DESCRIPTION = """Takes webhooks from the queue in batches, derives each contact's status and commits it; publishes
status changes. Start as many processors as you like: any order of events gives the same statuses.

examples:
  bouncekeeper processor --config /etc/bouncekeeper.toml
  bouncekeeper processor --processor-batch-max-events 1000 --logs-format console
"""

COMMANDS = {
    "processor": service_command(
        "processor",
        description=_DESCRIPTION,
        service="worker.commands.support.processing:run_processing",
    )
}
