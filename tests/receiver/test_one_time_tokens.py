"""What Mailgun signs beside an event is good for that event, whoever has seen it and wherever he sends it."""

import json

import msgspec

from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now, take_envelopes
from worker.providers.webhook_request import WebhookRequest
from worker.queue.rabbitmq import RabbitMQReader
from worker.samples.mail import MailgunInboundSamples
from worker.samples.mailgun import MailgunSamples


async def test_a_token_used_again_for_other_data_is_refused_and_for_the_same_data_is_a_retry(
    start_receiver: Start, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    sender = MailgunSamples()
    receiver = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    [webhook] = sender.requests([bounce()], now=now())
    assert (await receiver.post(webhook, "main"))[0] == 200
    assert (await receiver.post(webhook, "main"))[0] == 200
    status, _, body = await receiver.post(webhook, "main", body=webhook.body.replace(b"jane0@", b"john0@"))
    assert status == 401
    told = json.loads(body)
    assert told["error"] == "replayed_token"
    assert "signed anew" in told["remedy"]
    assert {envelope.body for envelope in await take_envelopes(rabbitmq_reader, 2)} == {webhook.body}


async def test_a_captured_signature_proves_nothing_else_at_this_source_or_at_another_with_the_same_key(
    start_receiver: Start, rabbitmq_writer: TallyingWriter
) -> None:
    sender, routes = MailgunSamples(), MailgunInboundSamples()
    routes.secret = sender.secret
    receiver = await start_receiver(
        sources=[sender.source("main"), sender.source("second"), routes.source("routes")], writer=rabbitmq_writer
    )
    at, token = now(), "123" + "a" * 47
    captured = sender.signed({"event": "opened", "id": "1"}, now=at, token=token)
    assert (await receiver.post(captured, "main"))[0] == 200

    async def error(webhook: WebhookRequest, source: str) -> str:
        status, _, body = await receiver.post(webhook, source)
        assert status == 401
        return str(json.loads(body)["error"])

    complaint = {"event": "complained", "id": "2", "recipient": "victim@example.org"}
    forged = sender.signed(complaint, now=at, token=token)
    assert await error(forged, "main") == "replayed_token"
    assert await error(forged, "second") == "replayed_token"
    mail = routes.posted_fields({"body-mime": b"From: a@b\r\n\r\n"}, now=at, token=token)
    assert await error(mail, "routes") == "replayed_token"
    # The same HMAC, with the token's first digits as the end of the time.
    moved = json.loads(forged.body)
    moved["signature"] |= {"timestamp": moved["signature"]["timestamp"] + "123", "token": token[3:]}
    moved_request = msgspec.structs.replace(forged, body=json.dumps(moved).encode())
    assert await error(moved_request, "main") == "bad_timestamp"
    assert (await receiver.post(captured, "second"))[0] == 200
    assert len(rabbitmq_writer.parcels) == 2
