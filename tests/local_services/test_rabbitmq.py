import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import aio_pika
import pytest

from tests.local_services.processes import command_lines
from tests.waiting import until
from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.local_services.given_rabbitmq import GivenRabbitMQ
from worker.local_services.process import command_of
from worker.local_services.rabbitmq import URL_VARIABLE, RabbitMQ, wait_until_ready, without_password
from worker.local_services.rabbitmq_choice import start_rabbitmq

pytestmark = pytest.mark.slow

_PROGRAM = textwrap.dedent("""
    import asyncio, pathlib, sys
    from worker.local_services.rabbitmq_choice import start_rabbitmq
    from worker.process.logs import configure_logging
    configure_logging(level="error")
    async def main():
        rabbitmq = await start_rabbitmq(pathlib.Path(sys.argv[1]), own=True)
        print(getattr(rabbitmq, "pid", 0), flush=True)
        await asyncio.sleep(600)
    asyncio.run(main())
""")


async def _put(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(
            aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT), "kept"
        )


async def _get(url: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("kept")
        message = await queue.get(timeout=5)
        assert message is not None
        await message.ack()
        return message.body


async def test_data_address_and_user_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    async with await start_rabbitmq(tmp_path / "data", own=True) as rabbitmq:
        url = rabbitmq.url
        await _put(url)
        await rabbitmq.stop()
        with pytest.raises(QueueUnavailable, match="is it running"):
            await wait_until_ready(url, timeout_seconds=0.2)
        await rabbitmq.restart()
        assert rabbitmq.url == url
        assert await _get(url) == b"kept"


async def test_one_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    async with await start_rabbitmq(tmp_path / "data", own=True):
        with pytest.raises(ImpossibleSetting, match=f"in use by process {os.getpid()}"):
            await start_rabbitmq(tmp_path / "data", own=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_it_ends_with_the_process_that_started_it_and_leaves_its_folder_usable(tmp_path: Path) -> None:
    parent = subprocess.Popen(  # noqa: ASYNC220 - the starting takes no time
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "data")], stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert "beam" in command_of(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    await until(lambda: "beam" not in command_of(pid), "the node to end")
    async with await start_rabbitmq(tmp_path / "data", own=True) as rabbitmq:
        await wait_until_ready(rabbitmq.url, timeout_seconds=1)


async def test_nobody_else_may_use_it_without_its_password(rabbitmq_server: RabbitMQ) -> None:
    place = rabbitmq_server.url.rpartition("@")[2]
    with pytest.raises(QueueUnavailable, match=r"ACCESS_REFUSED|authentication"):
        await wait_until_ready(f"amqp://guest:guest@{place}", timeout_seconds=0)


async def test_a_given_broker_is_used_and_never_stopped(
    rabbitmq_server: RabbitMQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, rabbitmq_server.url)
    async with await start_rabbitmq(tmp_path / "unused") as given:
        assert given.url == rabbitmq_server.url
        assert not given.owned
        for refused in (given.stop, given.kill, given.restart, given.pause, given.raise_memory_alarm):
            with pytest.raises(ImpossibleSetting, match=f"unset {URL_VARIABLE}"):
                await refused()
    await wait_until_ready(rabbitmq_server.url, timeout_seconds=1)
    assert not (tmp_path / "unused").exists()


async def test_a_given_broker_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(QueueUnavailable, match=r"127\.0\.0\.1:1") as caught:
        await wait_until_ready("amqp://user:unspeakable@127.0.0.1:1/", timeout_seconds=0)
    assert "unspeakable" not in str(caught.value)


def test_a_url_is_shown_without_user_and_password() -> None:
    assert without_password("amqp://user:p@ss@host:5672/v") == "amqp://host:5672/v"
    assert without_password("amqp://host/v") == "amqp://host/v"


async def test_virtual_hosts_of_a_given_broker_are_not_made() -> None:
    with pytest.raises(ImpossibleSetting, match="is not ours"):
        await GivenRabbitMQ("amqp://host/").create_virtual_hosts(["a"])


async def test_a_first_start_that_is_cancelled_leaves_nothing_running_and_nothing_half_made(tmp_path: Path) -> None:
    """Once when the node has begun to make its tables: without the last of them nobody could log in."""
    folder = tmp_path / "data"
    starting = asyncio.create_task(start_rabbitmq(folder, own=True))
    await until(lambda: list(folder.glob("mnesia/*/schema.DAT")), "its first table", seconds=90, every_seconds=0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert str(folder) not in command_lines()
    async with await start_rabbitmq(folder, own=True) as rabbitmq:
        await _put(rabbitmq.url)
        assert await _get(rabbitmq.url) == b"kept"
    async with await start_rabbitmq(folder, own=True) as rabbitmq:
        await wait_until_ready(rabbitmq.url, timeout_seconds=5)
