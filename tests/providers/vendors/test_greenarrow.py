"""What GreenArrow Engine reports."""

from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_request
from tests.providers.sample_events import all_kinds_but, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.greenarrow import BOUNCE_TYPES, EVENTS, PROVIDER, STATUSES
from worker.samples.greenarrow import GreenArrowSamples, sample_values

# https://greenarrowemail.com/docs/greenarrow-engine/Event-Notification-System/Types-of-Events, and beside it
# Legacy-Types-of-Events.
VENDOR_EVENTS = (
    "bounce_all bounce_bad_address scomp delivery_attempt engine_open engine_click engine_unsub studio_open "
    "studio_click studio_unsub hook_stat hook_bounce hook_scomp"
)
VENDOR_STATUSES = "success accepted failure failure_toolong deferral connmaxout"
# What those pages say of each. Before 2011, every bounce was a hook_stat and that of a bad address a hook_bounce.
EVENT_MEANINGS = meanings(
    {
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "bounce_all hook_stat",
        (Kind.HARD_BOUNCE, Cause.UNDETERMINED): "bounce_bad_address hook_bounce",
        (Kind.COMPLAINT, Cause.ABUSE_REPORT): "scomp hook_scomp",
        (Kind.OPENED, Cause.NONE): "engine_open studio_open",
        (Kind.CLICKED, Cause.NONE): "engine_click studio_click",
        (Kind.UNSUBSCRIBE, Cause.NONE): "engine_unsub studio_unsub",
    }
)
# An attempt that fails for good is followed by a bounce event, which is the one that counts.
STATUS_MEANINGS = meanings(
    {
        (Kind.DELIVERED, Cause.NONE): "success accepted",
        (Kind.DEFERRED, Cause.UNDETERMINED): "failure deferral",
        (Kind.DEFERRED, Cause.EXPIRED): "failure_toolong",
        (Kind.DEFERRED, Cause.RATE_LIMITED): "connmaxout",
    }
)
# Hard, soft, and other, which is neither the mailbox nor its server. No single bounce makes an address bad there.
BOUNCE_TYPE_MEANINGS = meanings(
    {
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "h s",
        (Kind.BLOCKED, Cause.POLICY): "o",
    }
)
UNSAYABLE = {Kind.ACCEPTED, Kind.DROPPED}


class TestGreenArrow(BatchConformance):
    provider_name = "greenarrow"
    make_sender = GreenArrowSamples
    event_field = "event_type"
    told_at_least = ("event_type", "email")
    kinds = all_kinds_but(*UNSAYABLE)
    signs_body = False


def read(*events: Any) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, GreenArrowSamples().posted(events))


def event(name: str, **other: Any) -> dict[str, Any]:
    return sample_values(sample()) | {"event_type": name, "bounce_text": None, "bounce_type": None} | other


def test_the_tables_have_no_gap() -> None:
    assert set(EVENTS) == set(VENDOR_EVENTS.split()) == {*EVENT_MEANINGS, "delivery_attempt"}
    assert set(STATUSES) == set(VENDOR_STATUSES.split())
    assert set(BOUNCE_TYPES) == set(BOUNCE_TYPE_MEANINGS)


@pytest.mark.parametrize("name", EVENT_MEANINGS)
def test_an_event_without_words_means_what_its_name_says(name: str) -> None:
    (found,) = read(event(name))
    assert (found.kind, found.cause, found.recognised) == (*EVENT_MEANINGS[name], True)


@pytest.mark.parametrize("status", VENDOR_STATUSES.split())
def test_an_attempt_is_what_its_status_says(status: str) -> None:
    (found,) = read(event("delivery_attempt", status=status))
    assert (found.kind, found.cause, found.recognised) == (*STATUS_MEANINGS[status], True)
    assert found.vendor_event == f"delivery_attempt/{status}"
    (unknown,) = read(event("delivery_attempt", status="invented"))
    assert (unknown.kind, unknown.recognised) == (Kind.OTHER, False)


@pytest.mark.parametrize("bounce_type", BOUNCE_TYPE_MEANINGS)
def test_a_bounce_without_words_is_what_its_type_says(bounce_type: str) -> None:
    (found,) = read(event("bounce_all", bounce_type=bounce_type, bounce_code=10))
    assert (found.kind, found.cause) == BOUNCE_TYPE_MEANINGS[bounce_type]


@pytest.mark.parametrize(
    ("name", "text", "kind", "cause"),
    [
        ("bounce_all", "said: 550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("bounce_all", "said: 552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("bounce_all", "said: 554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("bounce_bad_address", "said: 552 5.2.2 mailbox full", Kind.HARD_BOUNCE, Cause.MAILBOX_FULL),
        ("bounce_bad_address", "said: 550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("bounce_bad_address", "said: 554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
    ],
)
def test_the_servers_words_have_the_say(name: str, text: str, kind: Kind, cause: Cause) -> None:
    (found,) = read(event(name, bounce_text=text, bounce_type="s"))
    assert (found.kind, found.cause, found.diagnostic) == (kind, cause, text)


def test_a_failed_attempt_does_not_count_beside_its_bounce() -> None:
    attempt, bounce = read(
        event("delivery_attempt", status="failure", message="550 5.1.1 no such user"),
        event("bounce_all", bounce_text="550 5.1.1 no such user"),
    )
    assert (attempt.kind, attempt.cause) == (Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST)
    assert bounce.kind is Kind.HARD_BOUNCE


def test_the_fields_of_before_2011_are_read_too() -> None:
    old = {
        "event_type": "hook_bounce",
        "email": "jane@example.org",
        "bounce_message": "550 5.1.1 no such user",
        "bounce_time": 1772622000,
    }
    (found,) = read(old)
    assert (found.cause, found.arrival_dated) == (Cause.MAILBOX_DOES_NOT_EXIST, False)


def test_events_are_distinguished_by_their_id_and_without_one_by_the_rest() -> None:
    events = [event("scomp", id=1), event("scomp", id=2), event("bounce_all", id=1), event("scomp", id=0)]
    events += [event("scomp", id=0, email="x@example.org"), event("scomp", id=0, event_time=1772622001)]
    keys = [found.event_key for found in read(*events, *events)]
    assert len(set(keys)) == len(events)


def test_two_servers_may_use_the_same_number() -> None:
    first, second = read(event("scomp", id=1, sendid="a"), event("scomp", id=1, sendid="b"))
    assert first.event_key != second.event_key


def test_an_event_without_a_number_and_a_time_is_known_by_its_bytes() -> None:
    told = event("scomp", id="0", event_time=None)
    first, again, other = read(told, told, told | {"listid": "weekly"})
    assert first.event_key == again.event_key != other.event_key


def test_an_unsubscribe_is_of_its_list() -> None:
    left, read_it = read(event("engine_unsub", listid="weekly"), event("engine_open", listid="weekly"))
    assert (left.scope, read_it.scope) == ("weekly", None)
    assert (left.tags, left.message_id) == (("send-1",), "m1")
    assert left.metadata == {"listid": "weekly", "sendid": "send-1", "click_tracking_id": "m1"}


def test_an_attempt_tells_the_sending_domain() -> None:
    (found,) = read(event("delivery_attempt", status="success", sender="b@news.example.com"))
    assert with_own_account(found, "sending_domain", PROVIDER.account_paths).account == "news.example.com"


def test_an_object_alone_is_read_and_one_without_a_type_is_malformed_among_others() -> None:
    (alone,) = parse_request(PROVIDER, GreenArrowSamples().posted(event("scomp")))
    assert alone.kind is Kind.COMPLAINT
    first, second = read({"email": "x@example.org"}, event("scomp"))
    assert (first.vendor_event, second.kind) == ("malformed", Kind.COMPLAINT)
