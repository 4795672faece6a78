"""Iterable: what all providers do, and what only it does."""

import base64
import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind, Way
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_body
from tests.providers.sample_events import EARLIER, NOW, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.iterable import EVENTS, OTHER_CHANNELS, PROVIDER, RECIPIENT_STATES
from worker.providers.verdict import Accepted, Refused
from worker.samples.iterable import IterableSamples, sample_values


class TestIterable(ProviderConformance):
    provider_name = "iterable"
    make_sender = IterableSamples
    event_field = "eventName"
    told_at_least = ("eventName", "email")
    signs_body = False
    kinds = all_kinds_but(Kind.DELIVERED, Kind.DEFERRED)


def one(**fields: Any) -> FeedbackEvent:
    body = json.dumps({**sample_values(sample()), **fields}).encode()
    (event,) = parse_body(PROVIDER, body)
    return event


def bounce(state: str, status: str | None = None, words: str | None = None) -> FeedbackEvent:
    return one(dataFields={"recipientState": state, "status": status, "bounceMessage": words})


# https://support.iterable.com/hc/en-us/articles/208013936
DOCUMENTED_EVENTS = (
    *("emailSend", "emailSendSkip", "emailBounce", "emailComplaint", "emailUnSubscribe", "emailSubscribe"),
    *("emailOpen", "emailClick", "hostedUnsubscribeClick"),
)
# https://support.iterable.com/hc/en-us/articles/28534979433236
DOCUMENTED_STATES = (
    *("DNSFailure", "HardBounce", "MailBlockAttachmentDetected", "MailBlockGeneral", "MailBlockKnownSpammer"),
    *("MailBlockRelayDenied", "MailBlockSpamDetected", "SoftBounceContentRejected", "SoftBounceGeneral"),
    *("SoftBounceMailboxFull", "SoftBounceSpamDetected", "SoftBounceTimeOut", "SoftBounceUndetermined"),
)


# What that page says of each state; which server refused and why is left to the words.
MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "HardBounce",
        (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE): "DNSFailure",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "SoftBounceMailboxFull",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "SoftBounceTimeOut",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "SoftBounceGeneral SoftBounceUndetermined",
        (Kind.BLOCKED, Cause.POLICY): "MailBlockGeneral",
        (Kind.BLOCKED, Cause.VIRUS): "MailBlockAttachmentDetected",
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "MailBlockKnownSpammer",
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): "MailBlockRelayDenied",
        (Kind.BLOCKED, Cause.CONTENT): "MailBlockSpamDetected SoftBounceContentRejected SoftBounceSpamDetected",
    }
)


def test_every_documented_event_and_state_is_mapped() -> None:
    assert set(DOCUMENTED_EVENTS) == set(EVENTS)
    assert set(DOCUMENTED_STATES) == set(RECIPIENT_STATES)
    assert {f"emailBounce/{state}" for state in DOCUMENTED_STATES} <= set(PROVIDER.vocabulary)


@pytest.mark.parametrize("state", DOCUMENTED_STATES)
def test_a_state_without_words_is_what_iterable_says_of_it(state: str) -> None:
    event = bounce(state)
    assert (event.kind, event.cause) == MEANINGS[state]
    assert event.recognised


@pytest.mark.parametrize(
    ("event", "expected", "recognised"),
    [
        (
            bounce("HardBounce", "5.7.1", "smtp; 550 listed by spamhaus"),
            (Kind.BLOCKED, Cause.SENDER_REPUTATION),
            True,
        ),
        (
            bounce("SoftBounceGeneral", "5.1.1", "smtp; 550 no such user"),
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            True,
        ),
        (bounce("MailBlockInvented"), (Kind.BLOCKED, Cause.POLICY), False),
        (bounce("SoftBounceInvented"), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED), False),
    ],
)
def test_words_decide_and_a_new_state_is_noticed(
    event: FeedbackEvent,
    expected: tuple[Kind, Cause],
    recognised: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    assert (event.kind, event.cause, event.recognised) == (*expected, recognised)


@pytest.mark.parametrize("name", ["emailUnSubscribe", "emailUnsubscribe", "emailunsubscribe"])
def test_names_are_known_in_any_capitals(name: str) -> None:
    assert one(eventName=name).kind is Kind.UNSUBSCRIBE


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({"channelIds": [12, 13]}, "channel 12, 13"),
        ({"channelIds": [12], "messageTypeIds": [5]}, "message type 5"),
        ({"emailListIds": [7]}, "list 7"),
        ({"channelIds": []}, None),
        ({"channelIds": "all"}, None),
    ],
)
def test_an_unsubscribe_keeps_what_it_was_from(fields: dict[str, Any], scope: str | None) -> None:
    assert one(eventName="emailUnSubscribe", dataFields=fields).scope == scope


@pytest.mark.parametrize(("source", "way"), [("EmailLink", Way.FOOTER_LINK), ("SomethingElse", None), (None, None)])
def test_an_unsubscribe_by_the_link_in_the_message_says_so(source: str | None, way: Way | None) -> None:
    assert one(eventName="emailUnSubscribe", dataFields={"unsubSource": source}).way is way


def test_being_put_on_a_list_takes_no_unsubscribe_back() -> None:
    assert one(eventName="emailSubscribe").kind is Kind.OTHER


@pytest.mark.parametrize("name", ["pushBounce", "smsBounce", "smsReceived", "inAppSend", "webPushSend", "whatsAppSend"])
def test_other_channels_concern_no_address(name: str) -> None:
    event = one(eventName=name)
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)
    assert name.lower().startswith(OTHER_CHANNELS)


def test_projects_that_know_people_by_their_id_name_no_address() -> None:
    assert one(email=None, userId="42").address is None
    with pytest.raises(UnreadablePayload, match="nobody"):
        one(email=None)


@pytest.mark.parametrize(
    "stamp", ["2026-03-04 11:00:00 +00:00", "2026-03-04T11:00:00.000Z", "2026-03-04 06:00:00 -05:00"]
)
def test_both_ways_of_writing_a_time_are_read(stamp: str) -> None:
    event = one(dataFields={"createdAt": stamp})
    assert (event.occurred_at, event.arrival_dated) == (EARLIER, False)


@pytest.mark.parametrize(
    ("authentication", "secret", "header"),
    [
        ("", "a-token", "a-token"),
        ("oauth2", "a-token", "OAuth2 a-token"),
        ("basic", "user:password", "Basic " + base64.b64encode(b"user:password").decode()),
    ],
)
def test_each_authentication_type_is_known_with_its_own_header(authentication: str, secret: str, header: str) -> None:
    source = Source(name="main", provider="iterable", authentication=authentication, secrets=(Secret(secret),))
    request = IterableSamples().posted(sample_values(sample()))
    assert PROVIDER.check_source(source) == []
    for given, verdict in ((header, Accepted), (header + "x", Refused), ("", Refused)):
        changed = msgspec.structs.replace(request, headers={"authorization": given})
        assert isinstance(PROVIDER.bind(source).authenticate(changed, now=NOW, certificates={}), verdict)


@pytest.mark.parametrize(
    ("source", "kind", "cause"),
    [
        ("HardBounce", Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
        ("SMS", Kind.OTHER, Cause.NONE),
        ("Complaint", Kind.UNSUBSCRIBE, Cause.NONE),
        ("EmailLink", Kind.UNSUBSCRIBE, Cause.NONE),
        ("Teleported", Kind.UNSUBSCRIBE, Cause.NONE),
        (None, Kind.UNSUBSCRIBE, Cause.NONE),
    ],
)
def test_an_unsubscribe_by_a_bounce_or_a_text_message_is_nobodys_wish(
    source: str | None, kind: Kind, cause: Cause
) -> None:
    event = one(eventName="emailUnSubscribe", dataFields={"unsubSource": source})
    assert (event.kind, event.cause, event.recognised) == (kind, cause, True)
