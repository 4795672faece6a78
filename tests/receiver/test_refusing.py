"""Bad input: each is refused with its own status and a remedy, queues nothing and disturbs nobody."""

import asyncio
import gzip
import json
import zlib
from datetime import timedelta

import msgspec
import pytest

from schemas.source import Source
from tests.providers.reading import parse_envelope
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, is_empty, now, take_envelopes
from worker.errors import UnreadablePayload
from worker.providers.registry import PROVIDERS
from worker.providers.webhook_request import WebhookRequest
from worker.queue.rabbitmq import RabbitMQReader
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.kumomta import KumoMtaSamples
from worker.samples.mailgun import MailgunSamples
from worker.samples.postmark import PostmarkSamples
from worker.samples.sendgrid import SendGridSamples
from worker.settings.tree import ReceiverSettings

_SIGNING = (AmazonSesSamples(), MailgunSamples(), SendGridSamples())


def shown(sender: PostmarkSamples) -> bytes:
    """The header field that lets a request's body be read at all."""
    [webhook] = sender.requests([bounce()], now=now())
    return f"Authorization: {webhook.headers['authorization']}\r\n".encode()


def _tampered(webhook: WebhookRequest) -> bytes:
    """The same body with another address."""
    body = webhook.body.replace(b"jane0@", b"john0@")
    assert body != webhook.body
    return body


@pytest.mark.parametrize("sender", [_SIGNING[0], _SIGNING[2]], ids=lambda sender: sender.provider)
async def test_a_body_changed_after_signing_is_refused(
    sender: AmazonSesSamples | SendGridSamples,
    start_receiver: Start,
    rabbitmq_writer: TallyingWriter,
    rabbitmq_reader: RabbitMQReader,
) -> None:
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    status, _, body = await receiver.post(webhook, "main", body=_tampered(webhook))
    assert status == 401
    assert set(json.loads(body)) == {"error", "remedy"}
    assert await is_empty(rabbitmq_reader)


async def test_a_signature_of_another_key_is_refused(start_receiver: Start, rabbitmq_writer: TallyingWriter) -> None:
    for mine, stranger in (
        (MailgunSamples(), MailgunSamples()),
        (SendGridSamples(), SendGridSamples()),
        (AmazonSesSamples(), AmazonSesSamples()),
    ):
        receiver = await start_receiver(sources=[mine.source("main")], writer=rabbitmq_writer)
        [webhook] = stranger.requests([bounce()], now=now())
        assert (await receiver.post(webhook, "main"))[0] == 401
    assert rabbitmq_writer.parcels == []


async def test_a_wrong_password_is_refused_with_a_challenge(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    for authorization in ("Basic cG9zdG1hcms6d3Jvbmc=", "Basic !!!", "Bearer abc", ""):
        status, headers, _ = await receiver.post(webhook, "main", authorization=authorization)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Basic ")
    assert rabbitmq_writer.parcels == []


async def test_a_stale_signature_is_refused(start_receiver: Start, rabbitmq_writer: TallyingWriter) -> None:
    sender = MailgunSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now() - timedelta(days=30))
    status, _, body = await receiver.post(webhook, "main")
    assert status == 401
    assert "compare the clocks" in json.loads(body)["remedy"]
    assert rabbitmq_writer.parcels == []


@pytest.mark.slow
async def test_a_declared_oversize_is_refused_before_the_body_is_sent(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender, settings = PostmarkSamples(), ReceiverSettings(max_body_bytes=10_000)
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer, settings=settings)
    head = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nContent-Length: 10001\r\n" + shown(sender)
    for answer in (
        await receiver.exchange(head + b"\r\n"),
        await receiver.exchange(head + b"Expect: 100-continue\r\n\r\n"),
    ):
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"a body may have 10000 bytes" in answer


async def test_a_client_that_asks_first_is_told_to_go_on(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    head = (
        "POST /webhooks/main HTTP/1.1\r\nHost: here\r\nConnection: close\r\nExpect: 100-continue\r\n"
        f"Authorization: {webhook.headers['authorization']}\r\nContent-Length: {len(webhook.body)}\r\n\r\n"
    )
    answer = await receiver.exchange(head.encode(), pause_seconds=0.2, rest=webhook.body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.slow
async def test_an_undeclared_oversize_is_refused_while_it_still_arrives(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender, settings = PostmarkSamples(), ReceiverSettings(max_body_bytes=100_000)
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer, settings=settings)
    chunk = b"%x\r\n" % 50_000 + b"x" * 50_000 + b"\r\n"
    head = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n" + shown(sender) + b"\r\n"
    answer = await receiver.exchange(head + chunk * 3)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"a body may have 100000 bytes" in answer


async def test_a_body_that_decompresses_beyond_the_limit_is_refused(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    settings = ReceiverSettings(max_decompressed_bytes=1_000_000)
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer, settings=settings)
    [webhook] = sender.requests([bounce()], now=now())
    zeros = b"\0" * 30_000_000
    for coding, bomb in (("gzip", gzip.compress(zeros)), ("deflate", zlib.compress(zeros))):
        status, _, body = await receiver.post(webhook, "main", body=bomb, content_encoding=coding)
        assert status == 413
        assert json.loads(body)["error"] == "decompressed_too_large"
    assert rabbitmq_writer.parcels == []


async def test_an_unknown_or_damaged_encoding_is_refused(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    for coding in ("br", "zstd", "gzip, gzip"):
        status, headers, _ = await receiver.post(webhook, "main", content_encoding=coding)
        assert status == 415
        assert headers["Accept-Encoding"] == "gzip, deflate"
    cut = gzip.compress(webhook.body)[:-12]
    for body in (webhook.body, cut, b"", gzip.compress(b"") * 1000):
        status, _, answer = await receiver.post(webhook, "main", body=body, content_encoding="gzip")
        assert (status, json.loads(answer)["error"]) == (400, "damaged_encoding")
    assert rabbitmq_writer.parcels == []


@pytest.mark.slow
async def test_a_client_that_stops_within_its_body_is_cut_off(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender, settings = PostmarkSamples(), ReceiverSettings(body_timeout_seconds=0.3)
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer, settings=settings)
    head = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n" + shown(sender)
    answer = await receiver.exchange(head + b"\r\nslow")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"slow_body" in answer


async def test_a_client_that_goes_away_within_its_body_leaves_the_receiver_well(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    half = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\nhalf"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await receiver.exchange(half)
    assert (await receiver.post(webhook, "main"))[0] == 200
    assert len(rabbitmq_writer.parcels) == 1


async def test_what_is_no_http_is_refused_with_one_line_in_the_log(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = await start_receiver(sources=[PostmarkSamples().source("main")], writer=rabbitmq_writer)
    assert b" 400 " in (await receiver.exchange(b"POST / HTTP/9.9.9\r\n\r\n"))[:20]
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["reason"] for line in lines if "connection.cut_off" in line] == ["malformed_http"]
    assert not any("Traceback" in line for line in lines)


@pytest.mark.slow
async def test_a_broken_chunk_coding_is_refused(start_receiver: Start, rabbitmq_writer: TallyingWriter) -> None:
    sender, settings = PostmarkSamples(), ReceiverSettings(body_timeout_seconds=0.5)
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer, settings=settings)
    head = b"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n" + shown(sender) + b"\r\n"
    nonsense = b"not a length\r\n"
    assert b" 400 " in (await receiver.exchange(head + nonsense))[:20]
    # Nonsense that comes later is seen as a body that never ends.
    assert (await receiver.exchange(head, pause_seconds=0.1, rest=nonsense)).startswith(b"HTTP/1.1 408 ")
    assert rabbitmq_writer.parcels == []


async def test_an_unknown_source_is_not_found_and_no_other_is_named(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("secret-name")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    for name in ("other", "secret-nam", "secret-name/more", "%00", "x" * 5000, ""):
        status, _, body = await receiver.post(webhook, name)
        assert status == 404
        assert b"secret" not in body
    metrics = await (await receiver.client.get("/metrics")).text()
    assert "xxxxx" not in metrics


async def test_paths_that_are_none_are_answered_as_all_else_with_a_remedy_and_no_versions(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    receiver = await start_receiver(sources=[PostmarkSamples().source("main")], writer=rabbitmq_writer)
    for method, path in (("GET", "/"), ("GET", "/webhooks"), ("POST", "/webhooks"), ("GET", "/webhooks/other")):
        async with receiver.client.request(method, path) as answer:
            assert answer.status == 404
            assert "bouncekeeper sources list" in (await answer.json())["remedy"]
            assert "Server" not in answer.headers


async def test_a_webhook_without_credentials_is_told_that_none_came_and_where_to_put_them(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    async with receiver.client.post("/webhooks/main", data=webhook.body) as answer:
        assert answer.status == 401
        remedy = (await answer.json())["remedy"]
    assert "no credentials" in remedy
    assert "user:password@" in remedy


async def test_a_webhook_without_its_token_is_not_told_of_a_password(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = KumoMtaSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    async with receiver.client.post("/webhooks/main", data=b"{}") as answer:
        assert answer.status == 401
        remedy = (await answer.json())["remedy"]
    assert "no credentials" in remedy
    assert "password" not in remedy


async def test_only_post_delivers_and_probes_are_answered(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    receiver = await start_receiver(sources=[PostmarkSamples().source("main")], writer=rabbitmq_writer)
    async with receiver.client.head("/webhooks/main") as answer:
        assert answer.status == 200
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        async with receiver.client.request(method, "/webhooks/main") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "HEAD, POST"
            assert "POST" in (await answer.json())["remedy"]


async def test_an_authentic_body_that_nobody_can_read_is_queued_for_the_processor_to_set_aside(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    postmark, sendgrid = PostmarkSamples(), SendGridSamples()
    receiver = await start_receiver(
        sources=[postmark.source("postmark"), sendgrid.source("sendgrid")], writer=rabbitmq_writer
    )
    [template] = postmark.requests([bounce()], now=now())
    unreadable = (b"", b"{", b'{"Email": "\xff\xfe"}', b"[" * 100_000, b"<html></html>", b"\x00" * 10, b"null")
    for body in unreadable:
        assert (await receiver.post(template, "postmark", body=body))[0] == 200
        signed = sendgrid.signed(body, now=now())
        assert (await receiver.post(signed, "sendgrid"))[0] == 200
    for envelope in await take_envelopes(rabbitmq_reader, 2 * len(unreadable)):
        with pytest.raises(UnreadablePayload):
            parse_envelope(PROVIDERS[envelope.provider], envelope)


async def test_providers_whose_signature_stands_in_the_body_refuse_what_they_cannot_read(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    mailgun, ses = MailgunSamples(), AmazonSesSamples()
    receiver = await start_receiver(sources=[mailgun.source("mailgun"), ses.source("ses")], writer=rabbitmq_writer)
    for sender, name in ((mailgun, "mailgun"), (ses, "ses")):
        [template] = sender.requests([bounce()], now=now())
        for body in (b"", b"{", b'{"signature": "\xff"}', b"[" * 100_000, b'{"signature":' * 50_000, b"null", b"[1]"):
            status, _, _ = await receiver.post(template, name, body=body)
            assert status in {400, 401, 403}
    assert rabbitmq_writer.parcels == []


async def test_a_content_type_that_the_vendor_never_sends_does_not_make_an_authentic_webhook_a_bad_one(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = SendGridSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    assert (await receiver.post(webhook, "main", content_type="text/html"))[0] == 200
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    assert envelope.content_type == "text/html"


async def test_a_source_may_be_limited_to_addresses_and_only_a_trusted_proxy_may_name_them(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    source: Source = msgspec.structs.replace(sender.source("main"), allowed_addresses=("203.0.113.0/24",))
    [webhook] = sender.requests([bounce()], now=now())
    direct = await start_receiver(sources=[source], writer=rabbitmq_writer)
    assert (await direct.post(webhook, "main", x_forwarded_for="203.0.113.7"))[0] == 403
    behind_proxy = await start_receiver(
        sources=[source], writer=rabbitmq_writer, settings=ReceiverSettings(trusted_proxies=("127.0.0.0/8",))
    )
    assert (await behind_proxy.post(webhook, "main", x_forwarded_for="203.0.113.7"))[0] == 200
    assert (await behind_proxy.post(webhook, "main", x_forwarded_for="203.0.113.7, 198.51.100.1"))[0] == 403


async def test_a_line_of_forwarded_for_that_the_caller_wrote_himself_is_not_believed(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    source = msgspec.structs.replace(sender.source("main"), allowed_addresses=("203.0.113.0/24",))
    [webhook] = sender.requests([bounce()], now=now())
    receiver = await start_receiver(
        sources=[source], writer=rabbitmq_writer, settings=ReceiverSettings(trusted_proxies=("127.0.0.0/8",))
    )

    # HAProxy leaves the caller's line as it is and adds one of its own below it.
    lines = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", "198.51.100.1")]
    headers = [*webhook.headers.items(), *lines]
    async with receiver.client.post("/webhooks/main", data=webhook.body, headers=headers) as answer:
        assert answer.status == 403
    headers = [*webhook.headers.items(), *reversed(lines)]
    async with receiver.client.post("/webhooks/main", data=webhook.body, headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.slow
async def test_bodies_that_never_end_cannot_fill_the_memory(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    largest = 256 * 1024
    receiver = await start_receiver(
        sources=[sender.source("main")],
        writer=rabbitmq_writer,
        settings=ReceiverSettings(max_body_bytes=largest, body_timeout_seconds=3),
    )
    head = f"POST /webhooks/main HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {largest}\r\n".encode()
    unfinished = head + shown(sender) + b"\r\n" + b"x" * (largest - 1)

    answers = await asyncio.gather(*(receiver.exchange(unfinished) for _ in range(40)))

    statuses = [int(answer.split()[1]) for answer in answers]
    assert sorted(set(statuses)) == [408, 503]
    assert statuses.count(408) <= 32
    [webhook] = sender.requests([bounce()], now=now())
    assert (await receiver.post(webhook, "main"))[0] == 200
