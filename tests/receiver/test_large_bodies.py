"""Large and compressed bodies: strangers get little done, and nobody waits for them."""

import asyncio
import gzip
import json
import os
import time

import pytest

from tests.faults.attack_bodies import JSON_VALUES
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now
from tests.receiver.test_refusing import shown
from worker.errors import TryAgainLater
from worker.providers.verdict import Refused
from worker.receiver.large_bodies import LargeBodies
from worker.samples.mailgun import MailgunSamples
from worker.samples.postmark import PostmarkSamples
from worker.samples.sendgrid import SendGridSamples
from worker.settings.tree import ReceiverSettings

_MIB = 1024 * 1024


@pytest.mark.slow
async def test_of_a_request_whose_head_gives_it_away_the_body_is_not_awaited(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    receiver = await start_receiver(sources=[PostmarkSamples().source("main")], writer=postgres_writer)
    head = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nContent-Length: 5000000\r\n"
    answer = await receiver.exchange(head + shown(PostmarkSamples()) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"bad_credentials" in answer


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_a_large_genuine_body_is_taken_whole(
    coding: str, start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = SendGridSamples(events_per_batch=1_000)
    receiver = await start_receiver(sources=[sender.source("main")], writer=postgres_writer)
    [webhook] = sender.requests([bounce(number) for number in range(400)], now=now())
    assert len(webhook.body) > 100_000
    body = gzip.compress(webhook.body) if coding else webhook.body
    status, _, _ = await receiver.post(webhook, "main", body=body, content_encoding=coding)
    assert status == 200
    [parcel] = postgres_writer.parcels
    assert webhook.body in parcel


async def test_a_bomb_for_a_source_whose_body_holds_the_proof_costs_next_to_nothing(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = MailgunSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=postgres_writer)
    [webhook] = sender.requests([bounce()], now=now())
    bomb = gzip.compress(b'{"signature":{"x":%s}}' % JSON_VALUES["empty lists"](15_600_000))
    began = time.process_time()
    for _ in range(3):
        status, _, body = await receiver.post(webhook, "main", body=bomb, content_encoding="gzip")
        assert (status, json.loads(body)["error"]) == (413, "decompressed_too_large")
    assert time.process_time() - began < 1


async def test_a_body_beyond_what_is_read_before_the_proof_is_refused_with_that_limit(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = MailgunSamples()
    receiver = await start_receiver(
        sources=[sender.source("main")],
        writer=postgres_writer,
        settings=ReceiverSettings(max_body_bytes=8 * _MIB),
    )
    [webhook] = sender.requests([bounce()], now=now())
    padding = os.urandom(200_000).hex().encode()
    large = b'{"zz":"%s%s",%s' % (padding, b"a" * 6 * _MIB, webhook.body[1:])
    for body, coding in ((large, ""), (gzip.compress(large), "gzip")):
        status, _, answer = await receiver.post(webhook, "main", body=body, content_encoding=coding)
        assert status == 413
        told = json.loads(answer)
        assert told["error"] == "too_large"
        assert "a body for this URL may have 5242880 bytes" in told["remedy"]


async def test_a_compressed_body_that_shrank_further_than_events_do_is_refused(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = SendGridSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=postgres_writer)
    [webhook] = sender.requests([bounce()], now=now())
    for size, status in ((200_000, 401), (1_000_000, 413)):
        body = gzip.compress(b"[" + b"0," * (size // 2) + b"0]")
        answered, _, answer = await receiver.post(webhook, "main", body=body, content_encoding="gzip")
        assert answered == status
    assert "100 times its size" in json.loads(answer)["remedy"]


@pytest.mark.slow
@pytest.mark.alone
async def test_small_webhooks_are_answered_at_once_beside_large_ones_of_strangers(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    large, small = SendGridSamples(), PostmarkSamples()
    receiver = await start_receiver(sources=[large.source("large"), small.source("small")], writer=postgres_writer)
    [forged], [genuine] = (sender.requests([bounce()], now=now()) for sender in (large, small))
    padded = gzip.compress(os.urandom(180_000).hex().encode() + JSON_VALUES["zeros"](14_000_000))
    flood = [
        asyncio.create_task(receiver.post(forged, "large", body=padded, content_encoding="gzip")) for _ in range(12)
    ]
    waits = []
    while not all(task.done() for task in flood):
        began = time.monotonic()
        assert (await receiver.post(genuine, "small"))[0] == 200
        waits.append(time.monotonic() - began)
    # One that waited for the others longer than an answer may take is told to come again.
    assert {status for status, _, _ in await asyncio.gather(*flood)} <= {401, 503}
    assert sorted(waits)[len(waits) * 9 // 10] < 0.5


class TestRoom:
    async def test_who_comes_first_is_let_in_first_and_those_who_go_leave_no_gap(self) -> None:
        bodies = LargeBodies(max_decompressed_bytes=100, patience_seconds=30)
        entered: list[str] = []
        leave = {name: asyncio.Event() for name in "abcd"}

        async def stay(name: str, size: int) -> None:
            async with bodies.room(size, "", unproven_bytes=None):
                entered.append(name)
                await leave[name].wait()

        tasks = {}
        for name, size in (("a", 90), ("b", 50), ("c", 100), ("d", 10)):
            tasks[name] = asyncio.create_task(stay(name, size))
            await asyncio.sleep(0)
        assert entered == ["a", "b"]  # d would fit, but c was there before
        tasks["c"].cancel()
        await asyncio.wait([tasks["c"]])
        await asyncio.sleep(0)
        assert entered == ["a", "b", "d"]
        for name in "abd":
            leave[name].set()
        await asyncio.wait(tasks.values())
        both = bodies.room(100, "", unproven_bytes=None), bodies.room(50, "", unproven_bytes=None)
        async with asyncio.timeout(1), both[0], both[1]:
            pass
        bodies.close()

    async def test_nobody_waits_for_ever(self) -> None:
        bodies = LargeBodies(max_decompressed_bytes=100, patience_seconds=0.05)
        async with bodies.room(100, "", unproven_bytes=None), bodies.room(50, "", unproven_bytes=None):
            with pytest.raises(TryAgainLater):
                async with bodies.room(1, "", unproven_bytes=None):
                    pass
        async with bodies.room(100, "", unproven_bytes=None):
            pass
        bodies.close()

    async def test_a_place_that_shrinks_makes_room_for_others(self) -> None:
        bodies = LargeBodies(max_decompressed_bytes=100, patience_seconds=0.05)
        async with bodies.room(100, "gzip", unproven_bytes=None) as place:
            with pytest.raises(TryAgainLater):
                async with bodies.room(60, "", unproven_bytes=None):
                    pass
            place.shrink(10)
            async with bodies.room(60, "", unproven_bytes=None):
                pass
        bodies.close()

    async def test_a_coding_that_nobody_knows_is_refused(self) -> None:
        bodies = LargeBodies(max_decompressed_bytes=100, patience_seconds=1)
        refused = await bodies.decompress(b"x", "br", unproven_bytes=None)
        assert isinstance(refused, Refused)
        assert refused.http_status == 415
        bodies.close()
