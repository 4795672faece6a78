"""`receiver`: the HTTP edge that authenticates webhooks and queues them."""

from worker.commands.support.service_command import service_command

_DESCRIPTION = """Listens for webhooks on POST /webhooks/SOURCE, authenticates their raw bytes and answers with
success only once the queue has them on disk. Several receivers may share one port on Linux.

examples:
  bouncekeeper receiver --config /etc/bouncekeeper.toml
  bouncekeeper receiver --receiver-host 0.0.0.0 --receiver-port 80
  BOUNCEKEEPER_QUEUE_URL_FILE=/run/secrets/queue_url bouncekeeper receiver
"""

COMMANDS = {
    "receiver": service_command(
        "receiver",
        description=_DESCRIPTION,
    )
}
