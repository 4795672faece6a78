"""No number is shown that nobody counts, and those that alerts stand on tell the truth."""

import re
import socket
from pathlib import Path

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

from worker.process import metrics
from worker.queue.opening import open_writer
from worker.settings.configuration import load_settings

WORKER = Path(metrics.__file__).parents[1]


def value(name: str, **labels: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(name, labels)


def test_every_declared_metric_is_counted_somewhere() -> None:
    declared = {name for name, metric in vars(metrics).items() if isinstance(metric, MetricWrapperBase)}
    used = {name for path in WORKER.rglob("*.py") for name in re.findall(r"\bmetrics\.([A-Z_]+)\b", path.read_text())}
    assert declared == used


async def test_a_receiver_whose_broker_is_away_says_so_and_counts_what_it_parks(database_dsn: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    environment = {
        "BOUNCEKEEPER_POSTGRES_URL": database_dsn,
        "BOUNCEKEEPER_QUEUE_URL": f"amqp://nobody:nothing@127.0.0.1:{port}/",
    }
    settings = load_settings(
        config_file=None, environment=environment, overrides={}, needs=("postgres", "queue", "receiver")
    )
    writer = await open_writer(settings)
    try:
        before = value("bouncekeeper_parked_parcels_total") or 0.0
        await writer.put(b"parcel")
        assert value("bouncekeeper_parked_parcels_total") == before + 1
        assert value("bouncekeeper_queue_available", queue="rabbitmq") == 0.0
        assert value("bouncekeeper_queue_available", queue="postgres") == 1.0
    finally:
        await writer.close()
