"""The lines of processes, their background tasks, and what they start on this machine."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

PROCESS_LOG_EVENTS: dict[str, LogEvent] = {
    "folder.opened": _event(
        "warning",
        "Other users may now enter a folder (not list it), because the embedded Postgres does not run as root.",
        "folder",
        "mode",
        remedy="Nothing, if that is fine for you. Otherwise set `data_directory` to a folder that others may enter "
        "anyway, such as one in /var/lib, and run `bouncekeeper up` as another user than root.",
    ),
    "package.installing": _event(
        "warning",
        "A program is missing on this machine, and its Debian package is being installed.",
        "command",
        remedy="Nothing. To choose the moment yourself, run the command that `command` shows before you start "
        "Bouncekeeper.",
    ),
    "process.restarted": _event(
        "warning",
        "A process of `bouncekeeper stack` ended by itself and is started again.",
        "role",
        "exit_code",
        "wait_seconds",
        remedy="Its last lines say why it ended; [exit codes](command-line.md#exit-codes) say what its code means. Run "
        "`bouncekeeper doctor` if it ends again and again.",
    ),
    "process.started": _event("info", "A process is ready for work.", "role", "version", "address"),
    "process.stopped": _event("info", "A process has finished its accepted work and ends.", "role", "seconds"),
    "service.left_over": _event(
        "warning",
        "A local Postgres or RabbitMQ of an earlier, killed run was still running and is ended.",
        "service",
        "pid",
        remedy="Nothing. End `bouncekeeper up` with Ctrl-C or SIGTERM, and it ends its services itself.",
    ),
    "service.started": _event(
        "info", "A local Postgres or RabbitMQ is ready for connections.", "service", "address", "folder"
    ),
    "service.stopped": _event("info", "A local Postgres or RabbitMQ has ended.", "service", "signal"),
    "spans.dropped": _event(
        "warning",
        "Spans of traces did not reach the collector and are lost. Webhooks and batches are not affected. The first of "
        "each `reason` is logged at once, then their number once a minute. With `not_taken`, `detail` is what "
        "the exporter last complained of, without the collector's URL and headers.",
        "count",
        "reason",
        "detail",
        remedy="Run `bouncekeeper doctor`: it asks the collector ([traces](traces.md)).",
        remedies={
            "not_taken": "The collector is away, refuses the spans, or takes too long. Look at its log.",
            "queue_full": "More spans end than are sent. Lower `traces.ratio`, or raise OTEL_BSP_MAX_QUEUE_SIZE.",
            "stopped": "The process ended before all were sent. Nothing, unless it happens at each stop.",
        },
    ),
    "task.failed": _event(
        "warning",
        "A background task failed because Postgres or the queue was away. It tries again after a pause.",
        "task",
        "reason",
        "wait_seconds",
        remedy="One after a restart of Postgres or RabbitMQ is harmless. If it stays, run `bouncekeeper doctor`: it "
        "says what is away.",
    ),
    "user.added": _event("info", "A system user was added for the embedded Postgres.", "user"),
}
