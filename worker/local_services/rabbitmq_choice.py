"""Which RabbitMQ tests, drills and `make stack` use: the one given, else one of our own on this machine."""

import asyncio
import os
from pathlib import Path

from worker.errors import ImpossibleSetting
from worker.local_services.debian_package import install_package
from worker.local_services.given_rabbitmq import GivenRabbitMQ
from worker.local_services.rabbitmq import URL_VARIABLE, RabbitMQ, wait_until_ready
from worker.local_services.rabbitmq_container import RabbitMQContainer, docker_runs
from worker.local_services.rabbitmq_node import RabbitMQNode, find_server


async def start_rabbitmq(
    data_directory: Path, *, url: str | None = None, port: int | None = None, own: bool = False
) -> RabbitMQ:
    """The broker to use, ready for connections.

    In this order: `url`, or BOUNCEKEEPER_QUEUE_URL (neither with `own`, which asks for a broker that may be stopped and
    killed); a node of our own from the binaries on this machine; a container, if a Docker engine runs; Debian's
    package, installed with apt-get if we are root. Raises ImpossibleSetting with the remedy if none is available.
    """
    existing_url = None if own else url or os.environ.get(URL_VARIABLE)
    if existing_url:
        await wait_until_ready(existing_url, timeout_seconds=10)
        return GivenRabbitMQ(existing_url)
    if server := find_server():
        return await RabbitMQNode.start(data_directory, server=server, port=port)
    if await asyncio.to_thread(docker_runs):
        return await RabbitMQContainer.start(port=port)
    await asyncio.to_thread(install_package, "rabbitmq-server", otherwise=f", or start Docker, or set {URL_VARIABLE}")
    if server := find_server():
        return await RabbitMQNode.start(data_directory, server=server, port=port)
    raise ImpossibleSetting(
        "There is no RabbitMQ: install rabbitmq-server (Debian, Ubuntu: `apt-get install rabbitmq-server`; "
        f"macOS: `brew install rabbitmq`), or start Docker, or set {URL_VARIABLE}."
    )
