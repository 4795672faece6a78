"""What Mailjet reports: its errors, in bounces and in what it never tried; groups and single objects."""

from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import ALL_KINDS, EARLIER, all_kinds_but, sample
from worker.providers.vendors.mailjet import ERRORS, EVENTS, PROVIDER
from worker.samples.mailjet import MailjetSamples, sample_object

_HARD, _SOFT, _BLOCKED, _DROPPED = Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED, Kind.DROPPED
# https://dev.mailjet.com/email/guides/webhooks/#event-types: what each means if nothing else is said.
VENDOR_EVENTS = {
    "sent": Kind.DELIVERED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "bounce": Kind.SOFT_BOUNCE,
    "blocked": Kind.DROPPED,
    "spam": Kind.COMPLAINT,
    "unsub": Kind.UNSUBSCRIBE,
    "typofix": Kind.OTHER,
}
# https://dev.mailjet.com/email/guides/webhooks/#possible-values-for-errors: what each error is related to, and what it
# means in a bounce with and without hard_bounce (if the server's words say nothing) and in a `blocked` event.
VENDOR_ERRORS: dict[str, tuple[str, tuple[Kind, Cause], tuple[Kind, Cause], Cause]] = {
    "user unknown": (
        "recipient",
        (_HARD, Cause.MAILBOX_DOES_NOT_EXIST),
        (_HARD, Cause.MAILBOX_DOES_NOT_EXIST),
        Cause.SUPPRESSED_BY_PROVIDER,
    ),
    "mailbox inactive": (
        "recipient",
        (_HARD, Cause.MAILBOX_DISABLED),
        (_SOFT, Cause.MAILBOX_DISABLED),
        Cause.SUPPRESSED_BY_PROVIDER,
    ),
    "quota exceeded": (
        "recipient",
        (_SOFT, Cause.MAILBOX_FULL),
        (_SOFT, Cause.MAILBOX_FULL),
        Cause.SUPPRESSED_BY_PROVIDER,
    ),
    "blacklisted": (
        "recipient",
        (_DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        (_DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        Cause.SUPPRESSED_BY_PROVIDER,
    ),
    "spam reporter": (
        "recipient",
        (_DROPPED, Cause.COMPLAINED_AT_PROVIDER),
        (_DROPPED, Cause.COMPLAINED_AT_PROVIDER),
        Cause.COMPLAINED_AT_PROVIDER,
    ),
    "invalid domain": (
        "domain",
        (_HARD, Cause.DOMAIN_DOES_NOT_EXIST),
        (_SOFT, Cause.DNS_FAILURE),
        Cause.DOMAIN_DOES_NOT_EXIST,
    ),
    "no mail host": (
        "domain",
        (_HARD, Cause.DOMAIN_DOES_NOT_EXIST),
        (_SOFT, Cause.DNS_FAILURE),
        Cause.DOMAIN_DOES_NOT_EXIST,
    ),
    "relay/access denied": (
        "domain",
        (_BLOCKED, Cause.SENDER_CONFIGURATION),
        (_BLOCKED, Cause.SENDER_CONFIGURATION),
        Cause.SENDER_CONFIGURATION,
    ),
    "greylisted": (
        "domain",
        (_SOFT, Cause.GREYLISTED),
        (Kind.DEFERRED, Cause.GREYLISTED),
        Cause.SUPPRESSED_BY_PROVIDER,
    ),
    "typofix": ("domain", (_HARD, Cause.INVALID_ADDRESS), (_HARD, Cause.INVALID_ADDRESS), Cause.INVALID_ADDRESS),
    "bad or empty template": (
        "content",
        (_BLOCKED, Cause.SENDER_CONFIGURATION),
        (_BLOCKED, Cause.SENDER_CONFIGURATION),
        Cause.SENDER_CONFIGURATION,
    ),
    "error in template language": (
        "content",
        (_BLOCKED, Cause.SENDER_CONFIGURATION),
        (_BLOCKED, Cause.SENDER_CONFIGURATION),
        Cause.SENDER_CONFIGURATION,
    ),
    "sender blocked": (
        "spam",
        (_BLOCKED, Cause.SENDER_REPUTATION),
        (_BLOCKED, Cause.SENDER_REPUTATION),
        Cause.SENDER_REPUTATION,
    ),
    "content blocked": ("spam", (_BLOCKED, Cause.CONTENT), (_BLOCKED, Cause.CONTENT), Cause.CONTENT),
    "policy issue": ("spam", (_BLOCKED, Cause.POLICY), (_BLOCKED, Cause.POLICY), Cause.POLICY),
    "system issue": (
        "system",
        (_SOFT, Cause.SERVER_UNAVAILABLE),
        (_SOFT, Cause.SERVER_UNAVAILABLE),
        Cause.SERVER_UNAVAILABLE,
    ),
    "protocol issue": (
        "system",
        (_SOFT, Cause.SERVER_UNAVAILABLE),
        (_SOFT, Cause.SERVER_UNAVAILABLE),
        Cause.SERVER_UNAVAILABLE,
    ),
    "connection issue": (
        "system",
        (_SOFT, Cause.CONNECTION_FAILED),
        (_SOFT, Cause.CONNECTION_FAILED),
        Cause.CONNECTION_FAILED,
    ),
    "preblocked": (
        "mailjet",
        (_DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        (_DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        Cause.SUPPRESSED_BY_PROVIDER,
    ),
    "duplicate in campaign": (
        "mailjet",
        (_DROPPED, Cause.SENDER_CONFIGURATION),
        (_DROPPED, Cause.SENDER_CONFIGURATION),
        Cause.SENDER_CONFIGURATION,
    ),
}


class TestMailjet(BatchConformance):
    provider_name = "mailjet"
    make_sender = MailjetSamples
    event_field = "event"
    told_at_least = ("event", "email")
    signs_body = False
    kinds = all_kinds_but(Kind.ACCEPTED)  # Mailjet has no word for it


def read(document: Any) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, MailjetSamples().posted(document))


def one(event: str, **values: Any) -> FeedbackEvent:
    (read_event,) = read({"event": event, "email": "jane@example.org", "MessageID": 7, "time": 1772600767, **values})
    return read_event


def test_the_vendors_events_are_all_mapped() -> None:
    assert set(EVENTS) == set(VENDOR_EVENTS)


@pytest.mark.parametrize("name", VENDOR_EVENTS)
def test_an_event_without_an_error_is_what_its_name_says(name: str) -> None:
    assert one(name).kind is VENDOR_EVENTS[name]


def test_the_vendors_errors_are_all_mapped() -> None:
    assert {name: error.related_to for name, error in ERRORS.items()} == {
        name: related for name, (related, *_) in VENDOR_ERRORS.items()
    }


@pytest.mark.parametrize("name", VENDOR_ERRORS)
def test_an_error_without_words_means_what_the_table_says(name: str) -> None:
    related, hard, soft, blocked = VENDOR_ERRORS[name]
    said = {"error": name, "error_related_to": related}
    bounces = [one("bounce", hard_bounce=flag, **said) for flag in (True, False)] + [one("bounce", **said)]
    assert [(event.kind, event.cause) for event in bounces] == [hard, soft, soft]
    dropped = one("blocked", **said)
    # Not tried since no such address can exist: no echo, but the only news of it.
    counts = name in {"invalid domain", "no mail host", "typofix"}
    assert (dropped.kind, dropped.cause) == (Kind.HARD_BOUNCE if counts else Kind.DROPPED, blocked)
    for event in (*bounces, dropped):
        assert event.recognised
        assert PROVIDER.vocabulary[event.vendor_event] == (event.kind, event.cause)


@pytest.mark.parametrize(
    ("related", "hard", "kind"),
    [
        ("recipient", True, Kind.HARD_BOUNCE),
        ("recipient", False, Kind.SOFT_BOUNCE),
        ("domain", True, Kind.HARD_BOUNCE),
        ("content", True, Kind.BLOCKED),
        ("spam", True, Kind.BLOCKED),
        ("system", True, Kind.SOFT_BOUNCE),
        ("mailjet", True, Kind.DROPPED),
        ("", False, Kind.SOFT_BOUNCE),
        (None, True, Kind.HARD_BOUNCE),
    ],
)
def test_a_new_error_is_read_by_what_it_is_related_to_and_noticed(
    related: str | None,
    hard: bool,  # noqa: FBT001 - a parameter of pytest's
    kind: Kind,
) -> None:
    event = one("bounce", error="invented", error_related_to=related, hard_bounce=hard)
    assert (event.kind, event.recognised) == (kind, False)
    assert event.vendor_event == f"bounce/{'hard' if hard else 'soft'}/invented"


def test_an_error_may_stand_where_it_is_related_to() -> None:
    words = "421 4.7.0 temporarily deferred"
    event = one("bounce", error="", error_related_to="policy issue", hard_bounce=False, comment=words)
    assert (event.kind, event.recognised, event.vendor_event) == (Kind.BLOCKED, True, "bounce/soft/policy issue")


@pytest.mark.parametrize(
    ("error", "hard", "words", "kind", "cause"),
    [
        ("user unknown", True, "550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("user unknown", True, "Host or domain name not found", Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
        ("user unknown", True, "452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("user unknown", True, "554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("invalid domain", False, "Host or domain name not found", Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
        ("quota exceeded", False, "552 5.2.2 over quota", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("greylisted", False, "450 4.2.0 greylisted", Kind.DEFERRED, Cause.GREYLISTED),
        ("greylisted", False, "550 5.1.1 no such user", Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST),
        ("policy issue", True, "550 5.7.26 failed DMARC", Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
        ("sender blocked", True, "550 5.1.1 no such user", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("system issue", True, "550 5.1.1 no such user", Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
        ("spam reporter", True, "550 5.1.1 no such user", Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER),
    ],
)
def test_the_servers_words_refine_what_the_error_leaves_open(
    error: str,
    hard: bool,  # noqa: FBT001 - a parameter of pytest's
    words: str,
    kind: Kind,
    cause: Cause,
) -> None:
    event = one("bounce", error=error, error_related_to="", hard_bounce=hard, comment=words)
    assert (event.kind, event.cause, event.diagnostic) == (kind, cause, words)


def test_a_group_and_a_single_object_say_the_same() -> None:
    values = sample_object(sample())
    (alone,), (grouped, second) = read(values), read([values, {**values, "event": "spam"}])
    assert alone.event_key == grouped.event_key
    assert second.kind is Kind.COMPLAINT
    assert read([]) == []


def test_ids_beyond_the_numbers_of_javascript_stay_apart() -> None:
    events = [one("sent", MessageID=1152921504606850001 + number) for number in range(3)]
    assert [event.message_id for event in events] == [str(1152921504606850001 + number) for number in range(3)]
    assert len({event.event_key for event in events}) == 3


def test_events_of_one_message_have_keys_of_their_own() -> None:
    events = [
        one("open"),
        one("open", time=1772600768),
        one("open", email="john@example.org"),
        one("click", url="https://example.org/a"),
        one("click", url="https://example.org/b"),
        one("unsub", mj_list_id=1),
        one("unsub", mj_list_id=2),
    ]
    assert len({event.event_key for event in events}) == len(events)


def test_all_events_of_a_message_have_its_guid_as_at_mailjet() -> None:
    first, second = (sample_object(sample(kind, cause)) for kind, cause in ALL_KINDS[1:3])
    assert first["Message_GUID"] == second["Message_GUID"]
    del first["MessageID"], second["MessageID"]
    assert len({event.event_key for event in read([first, second])}) == 2


def test_the_guid_stands_in_for_a_missing_id() -> None:
    assert one("sent", MessageID=None, Message_GUID="1-2-3").message_id == "1-2-3"


@pytest.mark.parametrize("name", EVENTS)
def test_the_documentations_samples_count_for_nothing(name: str) -> None:
    event = one(name, email="api@mailjet.com", hard_bounce=True, error="user unknown", mj_list_id=3)
    assert (event.kind, event.cause, event.scope) == (Kind.OTHER, Cause.TEST, None)


@pytest.mark.parametrize(("list_id", "scope"), [(7, "list:7"), ("7", "list:7"), (0, None), ("", None), (None, None)])
def test_an_unsubscribe_is_limited_to_its_list(list_id: object, scope: str | None) -> None:
    event = one("unsub", mj_list_id=list_id)
    assert (event.kind, event.scope) == (Kind.UNSUBSCRIBE, scope)


def test_inbound_mail_concerns_no_contact() -> None:
    (event,) = read({"Sender": "a@example.com", "Recipient": "us@example.org", "Headers": {}, "Parts": []})
    assert (event.kind, event.address, event.vendor_event, event.recognised) == (Kind.OTHER, None, "inbound", True)


@pytest.mark.parametrize(
    ("payload", "custom_id", "metadata"),
    [
        ('{"subscriber_ref": "u-1001"}', "", {"subscriber_ref": "u-1001"}),
        ('{"subscriber_ref": "u-1001"}', "c-7", {"subscriber_ref": "u-1001", "CustomID": "c-7"}),
        ("order 7", "", {"Payload": "order 7"}),
        ("{broken", "", {"Payload": "{broken"}),
        ("[1]", "", {"Payload": "[1]"}),
        ("", "", None),
        (None, None, None),
    ],
)
def test_what_the_sender_gave_along_is_kept(
    payload: str | None, custom_id: str | None, metadata: dict[str, Any] | None
) -> None:
    event = one("sent", Payload=payload, CustomID=custom_id, customcampaign="spring")
    assert (event.metadata, event.tags) == (metadata, ("spring",))


def test_time_is_unix_seconds() -> None:
    assert one("sent", time=int(EARLIER.timestamp())).occurred_at == EARLIER
