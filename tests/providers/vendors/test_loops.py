"""What Loops reports: what it means, whom it concerns, and what only echoes something else."""

import json
from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body, wrap
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.loops import EVENTS, PROVIDER, UNSUBSCRIBED_COUNTS
from worker.providers.verdict import Accepted, Refused
from worker.samples.loops import LoopsSamples, sample_values

# https://loops.so/docs/webhooks#event-types
VENDOR_EVENTS = {
    "contact.created": (Kind.OTHER, Cause.NONE),
    "contact.unsubscribed": (Kind.OTHER, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "contact.deleted": (Kind.OTHER, Cause.NONE),
    "contact.mailingList.subscribed": (Kind.OTHER, Cause.NONE),
    "contact.mailingList.unsubscribed": (Kind.OTHER, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "campaign.email.sent": (Kind.ACCEPTED, Cause.NONE),
    "loop.email.sent": (Kind.ACCEPTED, Cause.NONE),
    "transactional.email.sent": (Kind.ACCEPTED, Cause.NONE),
    "email.delivered": (Kind.DELIVERED, Cause.NONE),
    "email.softBounced": (Kind.DEFERRED, Cause.UNDETERMINED),
    "email.hardBounced": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "email.opened": (Kind.OPENED, Cause.NONE),
    "email.clicked": (Kind.CLICKED, Cause.NONE),
    "email.unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "email.resubscribed": (Kind.RESUBSCRIBE, Cause.NONE),
    "email.spamReported": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "testing.testEvent": (Kind.OTHER, Cause.TEST),
}

IDENTITY = {"id": "con1", "email": "jane@example.org", "userId": None}


def values(name: str, **further: Any) -> dict[str, Any]:
    return {
        "eventName": name,
        "eventTime": int(EARLIER.timestamp()),
        "webhookSchemaVersion": "1.0.0",
        "contactIdentity": IDENTITY,
        **further,
    }


class TestLoops(ProviderConformance):
    provider_name = "loops"
    make_sender = LoopsSamples
    event_field = "eventName"
    told_at_least = ("eventName", "contactIdentity")
    max_age = timedelta(minutes=5)
    tells_reply = False
    kinds = (
        (Kind.ACCEPTED, Cause.NONE),
        (Kind.DELIVERED, Cause.NONE),
        (Kind.DEFERRED, Cause.UNDETERMINED),
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        (Kind.OPENED, Cause.NONE),
        (Kind.CLICKED, Cause.NONE),
        (Kind.UNSUBSCRIBE, Cause.NONE),
        (Kind.RESUBSCRIBE, Cause.NONE),
        (Kind.COMPLAINT, Cause.ABUSE_REPORT),
        (Kind.OTHER, Cause.NONE),
    )


def read(document: dict[str, Any], *, event_id: str = "msg_1", options: dict[str, Any] | None = None) -> FeedbackEvent:
    vendor = LoopsSamples()
    source = msgspec.structs.replace(vendor.source("first"), options=options or {})
    assert PROVIDER.check_source(source) == []
    (event,) = PROVIDER.bind(source).parse(wrap(PROVIDER, vendor.signed(document, event_id, now=NOW)))
    return event


def test_the_vendors_events_are_all_mapped() -> None:
    assert set(EVENTS) == set(VENDOR_EVENTS)


@pytest.mark.parametrize("name", VENDOR_EVENTS)
def test_each_event_means_what_the_vendor_documents(name: str) -> None:
    event = read(values(name))
    assert (event.kind, event.cause, event.recognised) == (*VENDOR_EVENTS[name], True)
    assert event.vendor_event == name


# -- the echo of a bounce


def test_in_whatever_order_they_come_a_hard_bounce_and_its_echo_are_one_bounce_and_nobody_left() -> None:
    told = [values("email.hardBounced"), values("contact.unsubscribed"), values("contact.deleted")]
    for documents in permutations(told):
        kinds = [read(document, event_id=document["eventName"]).kind for document in documents]
        assert sorted(kinds) == sorted([Kind.HARD_BOUNCE, Kind.OTHER, Kind.OTHER])


def test_a_person_who_leaves_by_the_link_is_told_of_twice_and_leaves_once() -> None:
    told = [read(values(name), event_id=name) for name in ("contact.unsubscribed", "email.unsubscribed")]
    assert [event.kind for event in told] == [Kind.OTHER, Kind.UNSUBSCRIBE]


def test_where_the_source_says_so_whoever_leaves_the_audience_has_unsubscribed() -> None:
    event = read(values("contact.unsubscribed"), options={UNSUBSCRIBED_COUNTS.name: True})
    assert (event.kind, event.cause) == (Kind.UNSUBSCRIBE, Cause.NONE)
    listed = read(values("contact.mailingList.unsubscribed"), options={UNSUBSCRIBED_COUNTS.name: True})
    assert listed.kind is Kind.OTHER
    assert read(values("contact.unsubscribed"), options={UNSUBSCRIBED_COUNTS.name: False}).kind is Kind.OTHER


@pytest.mark.parametrize("value", ["true", 1, None])
def test_the_option_is_true_or_false(value: object) -> None:
    source = msgspec.structs.replace(LoopsSamples().source("first"), options={UNSUBSCRIBED_COUNTS.name: value})
    (problem,) = PROVIDER.check_source(source)
    assert UNSUBSCRIBED_COUNTS.name in problem


# -- how it is read


def test_the_mailing_list_is_kept() -> None:
    event = read(values("contact.mailingList.unsubscribed", mailingList={"id": "list1", "name": "News"}))
    assert event.scope == "list1"


def test_what_was_sent_and_the_senders_own_name_for_the_contact_are_kept() -> None:
    event = read(
        values(
            "email.delivered",
            sourceType="loop",
            loopId="loop1",
            email={"id": "eml1", "emailMessageId": "version1", "subject": "Hello"},
            contactIdentity=IDENTITY | {"userId": "u2"},
        )
    )
    assert event.metadata == {"sourceType": "loop", "loopId": "loop1", "userId": "u2"}
    assert event.message_id == "eml1"  # of one recipient's mail; a version is sent to all
    assert read(values("contact.deleted")).metadata is None


def test_the_consoles_test_is_about_nobody() -> None:
    document = values("testing.testEvent", message="test")
    del document["contactIdentity"]
    event = read(document)
    assert (event.kind, event.cause, event.address) == (Kind.OTHER, Cause.TEST, None)


def test_the_key_is_the_id_in_the_headers() -> None:
    document = sample_values(sample())
    first, again, other = (read(document, event_id=event_id) for event_id in ("msg_1", "msg_1", "msg_2"))
    assert first.event_key == again.event_key != other.event_key


def test_an_event_without_a_name_is_set_aside() -> None:
    with pytest.raises(UnreadablePayload, match="no eventName"):
        parse_body(PROVIDER, json.dumps({"contactIdentity": IDENTITY}).encode())


# -- how it authenticates


def test_one_good_signature_among_several_is_enough() -> None:
    vendor = LoopsSamples()
    request = vendor.signed(values("email.delivered"), "msg_1", now=NOW)
    listed = f"v1,{'A' * 43}= {request.headers['webhook-signature']}"
    both = msgspec.structs.replace(request, headers={**request.headers, "webhook-signature": listed})
    assert isinstance(PROVIDER.bind(vendor.source("first")).authenticate(both, now=NOW, certificates={}), Accepted)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_of_the_three_headers_is_needed(missing: str) -> None:
    vendor = LoopsSamples()
    request = vendor.signed(values("email.delivered"), "msg_1", now=NOW)
    headers = {name: value for name, value in request.headers.items() if name != missing}
    verdict = PROVIDER.bind(vendor.source("first")).authenticate(
        msgspec.structs.replace(request, headers=headers), now=NOW, certificates={}
    )
    assert isinstance(verdict, Refused)


def test_a_secret_that_was_not_copied_whole_is_reported() -> None:
    source = Source(name="first", provider="loops", secrets=(Secret("whsec_not!base64"),))
    (problem,) = PROVIDER.check_source(source)
    assert "whsec_" in problem
