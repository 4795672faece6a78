"""What is authentic is in the queue before it is answered, whichever ESP it comes from."""

import asyncio
import gzip
import zlib
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.providers.reading import parse_envelope
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now, take_envelopes
from tests.waiting import pause, stays, until
from worker.providers.payload.form_payload import decode_form
from worker.providers.registry import PROVIDERS
from worker.queue.rabbitmq import RabbitMQReader
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.elastic_email import ElasticEmailSamples
from worker.samples.mailgun import MailgunSamples
from worker.samples.postmark import PostmarkSamples
from worker.samples.sample import SampleSender
from worker.samples.sendgrid import SendGridSamples
from worker.samples.twilio import TwilioSamples

_SENDERS: list[type[Any]] = [AmazonSesSamples, MailgunSamples, PostmarkSamples, SendGridSamples]


@pytest.mark.parametrize("sender_class", _SENDERS)
async def test_a_signed_webhook_of_each_provider_is_queued_whole_and_answered_with_success(
    sender_class: type[Any], start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender: SampleSender = sender_class()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    status, headers, body = await receiver.post(webhook, "main")
    assert (status, body) == (PROVIDERS[sender.provider].success_status, b"")
    assert "Date" in headers
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    assert envelope.body == webhook.body
    assert (envelope.source, envelope.provider) == ("main", sender.provider)
    assert envelope.content_type.startswith(webhook.headers["content-type"])
    assert abs(envelope.received_at - now()) < timedelta(seconds=10)
    assert envelope.delivery_id.version == 7
    assert set(envelope.headers) <= PROVIDERS[sender.provider].kept_headers
    [event] = parse_envelope(PROVIDERS[sender.provider], envelope)
    assert event.address == "jane0@example.org"


async def test_the_rule_for_the_account_of_each_event_goes_along(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = PostmarkSamples()
    source = msgspec.structs.replace(sender.source("main"), account_from="metadata.customer")
    receiver = await start_receiver(sources=[source], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    await receiver.post(webhook, "main")
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    assert envelope.account_from == "metadata.customer"


async def test_no_answer_comes_before_the_confirm(start_receiver: Start, rabbitmq_writer: TallyingWriter) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    rabbitmq_writer.may_confirm.clear()
    answer = asyncio.create_task(receiver.post(webhook, "main"))
    await until(lambda: len(rabbitmq_writer.parcels) == 1, "the parcel to be put")
    await stays(lambda: not answer.done(), "the sender waits for the answer", seconds=0.3)
    rabbitmq_writer.may_confirm.set()
    assert (await answer)[0] == 200


async def test_concurrent_webhooks_share_confirms_and_keep_their_own_bodies(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = MailgunSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    webhooks = sender.requests([bounce(number) for number in range(200)], now=now())
    answers = await asyncio.gather(*(receiver.post(webhook, "main") for webhook in webhooks))
    assert {status for status, _, _ in answers} == {200}
    assert len(rabbitmq_writer.parcels) < 100
    envelopes = await take_envelopes(rabbitmq_reader, 200)
    assert {envelope.body for envelope in envelopes} == {webhook.body for webhook in webhooks}
    assert len({envelope.delivery_id for envelope in envelopes}) == 200


async def test_a_content_type_that_is_not_utf8_costs_no_webhook(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    head = f"POST /webhooks/main HTTP/1.1\r\nHost: here\r\nAuthorization: {webhook.headers['authorization']}\r\n"
    lines = f"Connection: close\r\nContent-Length: {len(webhook.body)}\r\nContent-Type: text/".encode()
    answer = await receiver.exchange(head.encode() + lines + b"\xff\r\n\r\n" + webhook.body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    assert envelope.body == webhook.body


async def test_pipelined_webhooks_on_one_connection_are_answered_in_order(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    head = "POST /webhooks/main HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    authorization = f"Authorization: {webhook.headers['authorization']}\r\n"
    good = f"{head}{authorization}Content-Length: {len(webhook.body)}\r\n\r\n".encode() + webhook.body
    bad = f"{head}Content-Length: 2\r\n\r\n{{}}".encode()
    last = good.replace(b"Host: here", b"Host: here\r\nConnection: close")
    answers = await receiver.exchange(good + bad + good + last)
    lines = [line for line in answers.split(b"\r\n") if b"HTTP/1.1 " in line]
    assert [line[line.index(b"HTTP/1.1 ") :][9:12] for line in lines] == [b"200", b"401", b"200", b"200"]
    await take_envelopes(rabbitmq_reader, 3)


async def test_an_http_1_0_client_is_answered_and_let_go(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    head = f"POST /webhooks/main HTTP/1.0\r\nAuthorization: {webhook.headers['authorization']}\r\n"
    answer = await receiver.exchange(f"{head}Content-Length: {len(webhook.body)}\r\n\r\n".encode() + webhook.body)
    assert answer.startswith(b"HTTP/1.0 200 ")


async def test_several_secrets_are_accepted_while_one_is_being_rotated(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    old, new, stranger = PostmarkSamples(), PostmarkSamples(), PostmarkSamples()
    source = msgspec.structs.replace(old.source("main"), secrets=old.secrets_for_source() + new.secrets_for_source())
    receiver = await start_receiver(sources=[source], writer=rabbitmq_writer)
    statuses = [
        (await receiver.post(sender.requests([bounce()], now=now())[0], "main"))[0] for sender in (old, new, stranger)
    ]
    assert statuses == [200, 200, 401]


async def test_a_slash_pasted_after_the_source_does_no_harm(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    assert (await receiver.post(webhook, "main/"))[0] == 200


async def test_compressed_bodies_are_authenticated_and_kept_as_the_vendor_wrote_them(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = SendGridSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce(number) for number in range(50)], now=now())
    raw_deflate = zlib.compressobj(wbits=-15)
    for coding, body in (
        ("gzip", gzip.compress(webhook.body)),
        ("X-Gzip", gzip.compress(webhook.body[:100]) + gzip.compress(webhook.body[100:])),
        ("deflate", zlib.compress(webhook.body)),
        ("deflate", raw_deflate.compress(webhook.body) + raw_deflate.flush()),
        ("identity", webhook.body),
    ):
        assert (await receiver.post(webhook, "main", body=body, content_encoding=coding))[0] == 200
    assert {envelope.body for envelope in await take_envelopes(rabbitmq_reader, 5)} == {webhook.body}


async def test_a_body_in_many_small_pieces_is_put_together(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = PostmarkSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())

    async def pieces() -> Any:
        for start in range(0, len(webhook.body), 50):
            yield webhook.body[start : start + 50]
            await pause(0.005, "between two pieces")

    async with receiver.client.post("/webhooks/main", data=pieces(), headers=webhook.headers) as answer:
        assert answer.status == 200
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    assert envelope.body == webhook.body


async def test_a_query_is_signed_as_it_stands_in_the_url(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender = TwilioSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    for query in ("ref=a:b/c,d", "ref=%41&ref=b"):
        fields = decode_form(webhook.body, "form")
        signature = sender.signature(f"{sender.url}?{query}", fields)
        head = f"POST /webhooks/main?{query} HTTP/1.1\r\nHost: here\r\nX-Twilio-Signature: {signature}\r\n"
        lines = f"Connection: close\r\nContent-Length: {len(webhook.body)}\r\n\r\n".encode()
        answer = await receiver.exchange(head.encode() + lines + webhook.body)
        assert answer.startswith(b"HTTP/1.1 200 "), query


async def test_a_get_with_a_query_is_an_event_where_the_vendor_sends_events_so_and_nowhere_else(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    elastic_email, postmark = ElasticEmailSamples(), PostmarkSamples()
    receiver = await start_receiver(
        sources=[elastic_email.source("elastic"), postmark.source("postmark")], writer=rabbitmq_writer
    )
    [posted] = elastic_email.requests([bounce()], now=now())
    query = f"{posted.body.decode()}&token={elastic_email.secret}&subject=%E4%zz+b"
    for path, status in (
        (f"/webhooks/elastic?{query}", 200),
        (f"/webhooks/elastic?{posted.body.decode()}", 401),
        (f"/webhooks/elastic?token={elastic_email.secret}", 200),
        ("/webhooks/elastic", 200),
        (f"/webhooks/postmark?{query}", 405),
    ):
        answer = await receiver.exchange(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(f"HTTP/1.1 {status}".encode())
    async with receiver.client.put(f"/webhooks/elastic?{query}") as refused:
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, POST")
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    assert elastic_email.secret.encode() not in envelope.body
    [event] = parse_envelope(PROVIDERS["elastic_email"], envelope)
    assert event.address == "jane0@example.org"
