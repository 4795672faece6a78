"""What the make-believe mail server writes is read as what it meant."""

import msgspec

from schemas.envelope import Envelope, new_delivery_id
from schemas.vocabulary import Cause, Kind
from tests.providers.sample_events import NOW, one_of_each
from worker.providers.mail.mail_events import VOCABULARY, read_mail
from worker.providers.mail.options import check_mail_options, read_mail_options
from worker.providers.mail.received_mail import ReceivedMail
from worker.samples.mail import MailSamples

SAID = (
    (Kind.DELIVERED, Cause.NONE),
    (Kind.DEFERRED, Cause.SERVER_UNAVAILABLE),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (Kind.COMPLAINT, Cause.FRAUD_REPORT),
    (Kind.OTHER, Cause.AUTO_REPLY),
    (Kind.OTHER, Cause.NONE),
)


def test_each_kind_that_mail_can_tell_arrives_as_what_it_was() -> None:
    sender = MailSamples()
    source = sender.source("loops")
    samples = one_of_each(SAID)
    for sample, request in zip(samples, sender.requests(samples, now=NOW), strict=True):
        envelope = Envelope(
            delivery_id=new_delivery_id(),
            source="loops",
            provider="mail",
            account="default",
            received_at=NOW,
            content_type="message/rfc822",
            headers={},
            body=request.body,
        )
        (event,) = read_mail(ReceivedMail(message=request.body), envelope, read_mail_options(source))
        assert (event.kind, event.cause, event.address) == (sample.kind, sample.cause, sample.address)
        assert event.occurred_at == sample.occurred_at
        assert event.vendor_event in VOCABULARY


def test_the_source_of_the_samples_is_in_order_and_shows_no_key() -> None:
    sender = MailSamples(seed=b"1")
    source = sender.source("loops")
    assert check_mail_options(source) == []
    assert sender.token_secret not in repr(source)
    assert sender.token_secret == MailSamples(seed=b"1").token_secret
    assert msgspec.structs.replace(source, name="x").options == source.options
