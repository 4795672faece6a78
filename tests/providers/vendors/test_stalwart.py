"""What Stalwart's telemetry reports."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.sample_events import ALL_KINDS, NOW, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.stalwart import EVENTS, PROVIDER
from worker.samples.stalwart import StalwartSamples, sample_event

# crates/trc of Stalwart's source: DeliveryEvent, QueueEvent, IncomingReportEvent.
VENDOR_DELIVERY = (
    "attempt-start attempt-end completed failed domain-delivery-start mx-lookup mx-lookup-failed ip-lookup "
    "ip-lookup-failed null-mx connect connect-error missing-outbound-hostname greeting-failed ehlo ehlo-rejected auth "
    "auth-failed mail-from mail-from-rejected delivered rcpt-to rcpt-to-rejected rcpt-to-failed message-rejected "
    "start-tls start-tls-unavailable start-tls-error start-tls-disabled implicit-tls-error concurrency-limit-exceeded "
    "rate-limit-exceeded double-bounce dsn-success dsn-temp-fail dsn-perm-fail raw-input raw-output"
)
SAYABLE = {Kind.ACCEPTED, Kind.DELIVERED, Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED, Kind.OTHER}


class TestStalwart(BatchConformance):
    provider_name = "stalwart"
    make_sender = StalwartSamples
    event_field = "type"
    told_at_least = ("type", "data.to")
    array_field = "events"
    kinds = tuple(pair for pair in ALL_KINDS if pair[0] in SAYABLE)


SUITE = TestStalwart()


def read(*events: Any) -> list[FeedbackEvent]:
    return SUITE.parse([StalwartSamples().signed(events)])


def event(name: str, **data: Any) -> dict[str, Any]:
    made = sample_event(sample(), now=NOW)
    return made | {"type": name, "data": made["data"] | data}


def test_the_table_has_no_gap() -> None:
    ours = {name.removeprefix("delivery.") for name in EVENTS if name.startswith("delivery.")}
    assert ours == set(VENDOR_DELIVERY.split())


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_without_words_means_what_its_name_says(name: str) -> None:
    (read_event,) = read(event(name, details=None))
    assert (read_event.kind, read_event.cause) == EVENTS[name]
    assert (read_event.vendor_event, read_event.recognised) == (name, True)


@pytest.mark.parametrize(
    ("details", "kind", "cause", "code", "status"),
    [
        (
            "Unexpected response for RCPT TO:<x@example.org>: Code: 550, Enhanced code: 5.1.1, Message: no such user",
            Kind.HARD_BOUNCE,
            Cause.MAILBOX_DOES_NOT_EXIST,
            550,
            "5.1.1",
        ),
        (
            "Unexpected response for DATA: Code: 554, Enhanced code: 5.7.1, Message: listed on a blocklist",
            Kind.BLOCKED,
            Cause.SENDER_REPUTATION,
            554,
            "5.7.1",
        ),
        (
            "Unexpected response for RCPT TO:<x@example.org>: Code: 552, Enhanced code: 0.0.0, Message: mailbox full",
            Kind.SOFT_BOUNCE,
            Cause.MAILBOX_FULL,
            552,
            None,
        ),
        ("550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, 550, "5.1.1"),
        ("Connection failed: connection refused", Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED, None, None),
    ],
)
def test_the_reply_in_the_details_says_which_bounce_it_was(
    details: str, kind: Kind, cause: Cause, code: int | None, status: str | None
) -> None:
    (bounce,) = read(event("delivery.dsn-perm-fail", details=details))
    assert (bounce.kind, bounce.cause, bounce.smtp_code, bounce.enhanced_status) == (kind, cause, code, status)
    (attempt,) = read(event("delivery.rcpt-to-rejected", details=details))
    assert (attempt.kind, attempt.cause) == (Kind.DEFERRED, cause)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("delivery.mail-from-rejected", Cause.SENDER_CONFIGURATION),
        ("delivery.ehlo-rejected", Cause.SENDER_CONFIGURATION),
        ("delivery.rcpt-to-rejected", Cause.MAILBOX_DOES_NOT_EXIST),
    ],
)
def test_the_events_name_tells_what_was_refused(name: str, cause: Cause) -> None:
    (attempt,) = read(event(name, details="550 does not exist"))
    assert (attempt.kind, attempt.cause) == (Kind.DEFERRED, cause)


def test_telemetry_of_other_kinds_is_left_out() -> None:
    assert read(event("auth.success"), event("store.data-write")) == []
    assert read() == []


def test_an_event_sent_again_under_a_new_id_is_the_same() -> None:
    first, again = (sample_event(sample(), now=NOW + timedelta(minutes=minutes)) for minutes in (0, 5))
    assert first["id"] != again["id"]
    assert read(first)[0].event_key == read(again)[0].event_key


def test_what_came_of_a_recipient_counts_once_however_often_stalwart_tells_of_it() -> None:
    later = {"createdAt": "2026-03-04T10:30:00Z"}
    refused = event("delivery.dsn-perm-fail", spanId=7)
    again = event("delivery.dsn-perm-fail", spanId=8) | later
    other_mail = event("delivery.dsn-perm-fail", spanId=9, queueId=5)
    other_reader = event("delivery.dsn-perm-fail", spanId=7, to="b@example.org")
    delayed = event("delivery.dsn-temp-fail")
    keys = [one.event_key for one in read(refused, again, other_mail, other_reader, delayed, delayed | later)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5


def test_a_notice_without_a_queue_is_known_by_its_span_and_time() -> None:
    first = event("delivery.dsn-perm-fail", queueId=None, spanId=7)
    second = event("delivery.dsn-perm-fail", queueId=None, spanId=8)
    assert read(first)[0].event_key == read(first)[0].event_key != read(second)[0].event_key


def test_an_event_about_more_recipients_than_a_mail_can_have_is_malformed_among_others() -> None:
    many = event("delivery.failed", to=[f"{number}@example.org" for number in range(2_000)])
    first, second = read(many, event("delivery.delivered"))
    assert (first.vendor_event, second.kind) == ("malformed", Kind.DELIVERED)


def test_several_recipients_are_an_event_each() -> None:
    events = read(event("queue.message-queued", to=["a@example.org", "b@example.org"]))
    assert [one.address for one in events] == ["a@example.org", "b@example.org"]
    assert len({one.event_key for one in events}) == 2


def test_a_complaint_names_no_recipient() -> None:
    (report,) = read(event("incoming-report.abuse-report", to="abuse@news.example.com"))
    assert (report.kind, report.address) == (Kind.OTHER, None)


def test_the_sender_tells_the_domain() -> None:
    (one,) = read(event("delivery.delivered"))
    assert with_own_account(one, "sending_domain", PROVIDER.account_paths).account == "news.example.com"


def test_an_event_without_a_type_is_malformed_among_others() -> None:
    first, second = read({"id": "1"}, event("delivery.delivered"))
    assert (first.vendor_event, second.kind) == ("malformed", Kind.DELIVERED)
