"""How webhooks may come: not too slowly, not in crumbs, and not too many at a time from one caller."""

import asyncio
import json

import pytest

from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now
from tests.waiting import stays, until
from worker.samples.mailgun import MailgunSamples
from worker.samples.postmark import PostmarkSamples
from worker.settings.tree import ConnectionSettings, ReceiverSettings

_HEAD = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\n"


_CUT_OFF = {
    "slow_body": (b"Content-Length: 1000\r\n\r\nhalf", 408, "faster"),
    "tiny_chunks": (b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000, 400, "Content-Length"),
}


@pytest.mark.slow
@pytest.mark.parametrize("reason", _CUT_OFF)
async def test_a_body_that_costs_more_than_it_is_worth_is_refused_with_one_line_and_the_remedy(
    reason: str, start_receiver: Start, rabbitmq_writer: TallyingWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    wire, status, remedy = _CUT_OFF[reason]
    receiver = await start_receiver(
        # Its signature stands in the body, so that nothing can be said before the body is there.
        sources=[MailgunSamples().source("main")],
        writer=rabbitmq_writer,
        connections=ConnectionSettings(body_grace_seconds=0.3),
    )
    head, _, body = (await receiver.exchange(_HEAD + wire)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    answer = json.loads(body)
    assert answer["error"] == reason
    assert remedy in answer["remedy"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "webhook.refused" in line]
    assert [(line["reason"], line["http_status"], line["remote_address"]) for line in lines] == [
        (reason, status, "127.0.0.1")
    ]
    assert rabbitmq_writer.parcels == []


async def test_behind_a_trusted_proxy_each_caller_may_have_so_many_requests_under_way(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(
        sources=[sender.source("main")],
        writer=rabbitmq_writer,
        settings=ReceiverSettings(trusted_proxies=("127.0.0.1",)),
        connections=ConnectionSettings(max_per_address=2),
    )
    [webhook] = sender.requests([bounce()], now=now())
    rabbitmq_writer.may_confirm.clear()
    greedy = [
        asyncio.ensure_future(receiver.post(webhook, "main", x_forwarded_for=address))
        for address in ("2001:db8::1", "2001:db8::2")
    ]
    await until(lambda: rabbitmq_writer.parcels, "the first webhook to be put")
    status, headers, body = await receiver.post(webhook, "main", x_forwarded_for="2001:db8::3")
    assert (status, headers["Retry-After"], json.loads(body)["error"]) == (503, "30", "too_many_at_once")
    others = asyncio.ensure_future(receiver.post(webhook, "main", x_forwarded_for="2001:db8:0:1::1"))
    await stays(lambda: not others.done(), "the other caller waits as well, and is not refused", seconds=0.1)
    rabbitmq_writer.may_confirm.set()
    assert [status for status, _, _ in await asyncio.gather(*greedy, others)] == [200, 200, 200]
    assert (await receiver.post(webhook, "main", x_forwarded_for="2001:db8::3"))[0] == 200


async def test_without_a_trusted_proxy_the_limit_of_connections_says_it_all(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    answers = await asyncio.gather(*(receiver.post(webhook, "main", x_forwarded_for="203.0.113.7") for _ in range(50)))
    assert {status for status, _, _ in answers} == {200}
