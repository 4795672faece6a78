"""A stopping receiver finishes what it accepted, and lets go of those who would keep it waiting."""

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import aiohttp
import msgspec
import prometheus_client
import pytest

from schemas.envelope import decode_parcel
from schemas.source import Source
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import RunningReceiver, TallyingWriter, bounce, now, take_envelopes
from tests.waiting import pause, stays, until
from worker.local_services.process import free_port
from worker.queue.postgres import PostgresReader
from worker.queue.rabbitmq import RabbitMQReader
from worker.samples.postmark import PostmarkSamples
from worker.settings.tree import ReceiverSettings


def _count_accepted(writer: TallyingWriter) -> int:
    """How many webhooks of about the same size wait for a confirm, in parcels or to be put into one."""
    if not writer.parcels:
        return 0
    waiting_bytes = prometheus_client.REGISTRY.get_sample_value("bouncekeeper_receiver_waiting_bytes") or 0.0
    return round(waiting_bytes / len(decode_parcel(writer.parcels[0])[0]))


async def test_what_was_accepted_before_the_stop_is_confirmed_and_answered(
    rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = PostmarkSamples()
    receiver = await RunningReceiver.start(sources=[sender.source("main")], writer=rabbitmq_writer)
    webhooks = sender.requests([bounce(number) for number in range(30)], now=now())
    rabbitmq_writer.may_confirm.clear()
    answers = asyncio.gather(*(receiver.post(webhook, "main") for webhook in webhooks))
    await until(lambda: _count_accepted(rabbitmq_writer) == 30, "30 webhooks that wait for a confirm")
    stopping = asyncio.create_task(receiver.stop())
    await stays(lambda: not stopping.done(), "the stop waits for the confirms", seconds=0.3)
    rabbitmq_writer.may_confirm.set()
    assert {status for status, _, _ in await answers} == {200}
    await stopping
    await take_envelopes(rabbitmq_reader, 30)


async def test_a_half_sent_body_does_not_hold_the_stop_up(rabbitmq_writer: TallyingWriter) -> None:
    settings = ReceiverSettings(body_timeout_seconds=60, drain_seconds=60)
    sender = PostmarkSamples()
    receiver = await RunningReceiver.start(sources=[sender.source("main")], writer=rabbitmq_writer, settings=settings)
    [webhook] = sender.requests([bounce()], now=now())
    head = (
        "POST /webhooks/main HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n"
        f"Authorization: {webhook.headers['authorization']}\r\n\r\n"
    )
    half = asyncio.create_task(receiver.exchange(head.encode() + b"half"))
    await pause(0.2, "the receiver takes the head and half of the body")
    began = time.monotonic()
    await receiver.stop()
    assert time.monotonic() - began < 5
    assert (await half).startswith(b"HTTP/1.1 503 ")


async def test_probes_and_metrics_speak_for_the_receiver(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    source = msgspec.structs.replace(sender.source("counted"), account="acme")
    receiver = await start_receiver(sources=[source], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    await receiver.post(webhook, "counted")
    await receiver.post(webhook, "counted", authorization="Basic eDp5")
    async with receiver.client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"alive": True})
    async with receiver.client.get("/readyz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ready": True, "missing": []})
    text = await (await receiver.client.get("/metrics")).text()
    assert 'bouncekeeper_webhooks_total{outcome="accepted",reason="",source="counted"} 1.0' in text
    assert 'bouncekeeper_webhooks_total{outcome="refused",reason="bad_credentials",source="counted"} 1.0' in text
    assert 'bouncekeeper_webhook_seconds_count{source="counted"} 2.0' in text
    assert f'bouncekeeper_webhook_body_bytes_total{{source="counted"}} {len(webhook.body)}.0' in text


async def test_each_webhook_is_one_line_in_the_log_without_addresses_or_secrets(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    await receiver.post(webhook, "main")
    await receiver.post(webhook, "main", authorization="Basic eDp5")
    text = ""

    def logged() -> list[str]:
        nonlocal text
        text += capsys.readouterr().err
        return [line for line in text.splitlines() if '"webhook.' in line]

    await until(lambda: len(logged()) == 2, "two lines about webhooks")
    lines = [json.loads(line) for line in logged()]
    assert [line["event"] for line in lines] == ["webhook.accepted", "webhook.refused"]
    assert lines[0]["source"] == "main"
    assert lines[0]["body_bytes"] == len(webhook.body)
    assert lines[0]["delivery_id"]
    assert "jane0@" not in text
    assert sender.secrets_for_source()[0].reveal().split(":")[1] not in text


_PROCESS = textwrap.dedent("""
    import asyncio, signal, sys
    import msgspec, uvloop
    from schemas.source import Secret, Source
    from worker.process.logs import configure_logging
    from worker.receiver.service import run_receiver
    from worker.settings.tree import *

    given = msgspec.json.decode(sys.argv[1])
    settings = Settings(
        data_directory=".", postgres=PostgresSettings(url=Secret(given["postgres"])),
        queue=QueueSettings(adapter=given["adapter"], url=Secret(given["rabbitmq"]) if given["rabbitmq"] else None),
        receiver=ReceiverSettings(port=given["port"]), processor=ProcessorSettings(), api=ApiSettings(),
        logs=LogSettings(), mailbox=MailboxSettings(), connections=ConnectionSettings(), policy=None,
        sources=(Source(name="main", provider="postmark", secrets=(Secret(given["secret"]),)),),
    )

    async def main():
        configure_logging(process="receiver", strict=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await run_receiver(settings, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
""")


def _start_process(source: Source, port: int, folder: Path, **given: str | None) -> "subprocess.Popen[bytes]":
    told = {**given, "port": port, "secret": source.secrets[0].reveal()}
    with (folder / "receiver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _PROCESS, msgspec.json.encode(told).decode()],
            stderr=log,
            cwd=Path(__file__).parents[2],
        )


async def _until_logged(event: str, folder: Path, times: int = 1) -> None:
    log = folder / "receiver.log"
    await until(lambda: log.read_text().count(event) >= times, f"{times} lines of {event}", show=log.read_text)


@pytest.mark.slow
async def test_two_processes_share_a_port_and_end_well_when_told_to(
    rabbitmq_url: str, rabbitmq_reader: RabbitMQReader, database_dsn: str, tmp_path: Path
) -> None:
    sender = PostmarkSamples()
    source, port = sender.source("main"), free_port()
    given = {"adapter": "rabbitmq", "rabbitmq": rabbitmq_url, "postgres": database_dsn}
    processes = [_start_process(source, port, tmp_path, **given) for _ in range(2)]
    try:
        await _until_logged("process.started", tmp_path, times=2)
        await _post_to(port, sender, 40)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [await asyncio.to_thread(process.wait, 20) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert (tmp_path / "receiver.log").read_text().count("process.stopped") == 2
    await take_envelopes(rabbitmq_reader, 40)


async def test_without_a_broker_postgres_alone_is_the_queue(
    database_dsn: str, postgres_reader: PostgresReader, tmp_path: Path
) -> None:
    sender = PostmarkSamples()
    source, port = sender.source("main"), free_port()
    process = _start_process(source, port, tmp_path, adapter="postgres", rabbitmq=None, postgres=database_dsn)
    try:
        await _until_logged("process.started", tmp_path)
        await _post_to(port, sender, 10)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        process.kill()
        process.wait()
    await take_envelopes(postgres_reader, 10)


async def _post_to(port: int, sender: PostmarkSamples, count: int) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        for webhook in sender.requests([bounce(number) for number in range(count)], now=now()):
            headers = {**webhook.headers, "connection": "close"}
            async with client.post("/webhooks/main", data=webhook.body, headers=headers) as answer:
                assert answer.status == 200
