"""Sweego: what all providers do, and what only it does."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import NOW, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.sweego import EVENTS, PROVIDER
from worker.providers.verdict import Accepted, Refused
from worker.samples.sweego import SweegoSamples, sample_values


class TestSweego(ProviderConformance):
    provider_name = "sweego"
    make_sender = SweegoSamples
    event_field = "event_type"
    told_at_least = ("event_type", "recipient")
    max_age = timedelta(days=1)
    kinds = all_kinds_but(Kind.DEFERRED, Kind.DROPPED)


def one(**fields: Any) -> FeedbackEvent:
    body = json.dumps({**sample_values(sample()), **fields}).encode()
    (event,) = parse_body(PROVIDER, body)
    return event


# https://learn.sweego.io/docs/webhooks/payload, dashes and underscores as there
DOCUMENTED_EVENTS = (
    *("email_sent", "delivered", "soft-bounce", "hard_bounce", "list_unsub", "complaint", "email_opened"),
    *("email_clicked", "email_inbound", "sms_sent", "sms_undelivered", "sms_stop", "sms_clicked"),
)


def test_every_documented_event_is_mapped() -> None:
    assert {name.replace("-", "_") for name in DOCUMENTED_EVENTS} == set(EVENTS)
    assert all(one(event_type=name).recognised for name in DOCUMENTED_EVENTS)


@pytest.mark.parametrize("name", ["hard_bounce", "hard-bounce", "Hard_Bounce"])
def test_dashes_and_underscores_are_the_same(name: str) -> None:
    assert one(event_type=name, response_code=None, details=None).kind is Kind.HARD_BOUNCE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_code": 550, "status": "bounced"}, (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ({"response_code": 452, "status": "bounced"}, (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE)),
        ({"response_code": 554, "status": "554 5.7.1 spam message"}, (Kind.BLOCKED, Cause.CONTENT)),
        ({"event_type": "soft-bounce", "response_code": 0, "status": ""}, (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_a_bounce_is_what_the_servers_code_says(fields: dict[str, Any], expected: tuple[Kind, Cause]) -> None:
    event = one(**{"details": None, **fields})
    assert (event.kind, event.cause) == expected


def logged(action: str, reply: str) -> str:
    return (
        "Aug 20 08:48:35 mta-01 zone-mta: Aug 20 08:48:35 info Sender/x/1279[18] id=fh3v 1916ee7307c0008de7.001 "
        f"{action} from=mta-01.x@example.com to=jane@example.org src=192.0.2.1 mx=mx.example.org[192.0.2.2] "
        f"id=<1724142530.yyyy.1916@example.com> ({reply})"
    )


@pytest.mark.parametrize(
    ("name", "action", "code", "reply", "expected"),
    [
        ("hard_bounce", "REJECTED[other]", 550, "550 Invalid Recipient <j@example.org> [smtp-08.z; Z_520]", "mailbox"),
        ("hard_bounce", "REJECTED[other]", 550, "550 5.7.1 listed by zen.spamhaus.org (see it)", "reputation"),
        ("hard_bounce", "REJECTED[block]", 550, "550 no", "reputation"),
        ("hard_bounce", "REJECTED[recipient]", 550, "550 no", "mailbox"),
        ("hard_bounce", "REJECTED[teleported]", 550, "550 no", "mailbox"),
        ("hard_bounce", "REJECTED", 550, "550 no", "mailbox"),
        ("soft-bounce", "REJECTED[capacity]", 452, "452 <j@example.org> User quota exceeded", "full"),
        ("soft-bounce", "DEFERRED[capacity]", 452, "452 <j@example.org> User quota exceeded", "waiting"),
    ],
)
def test_the_reply_in_the_senders_log_decides(name: str, action: str, code: int, reply: str, expected: str) -> None:
    meanings = {
        "mailbox": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        "reputation": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        "full": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        "waiting": (Kind.DEFERRED, Cause.MAILBOX_FULL),
    }
    event = one(event_type=name, details=logged(action, reply), response_code=code, status=None)
    assert (event.kind, event.cause) == meanings[expected]
    assert event.diagnostic == reply


@pytest.mark.parametrize(("name", "block"), [("email_opened", "open"), ("email_clicked", "click")])
def test_a_proxys_open_or_click_is_a_machines(name: str, block: str) -> None:
    assert one(event_type=name, **{block: {"proxy": True}}).machine
    assert not one(event_type=name, **{block: {"proxy": False}}).machine
    assert not one(event_type=name).machine


@pytest.mark.parametrize("fields", [{"event_type": "sms_stop"}, {"event_type": "delivered", "channel": "sms"}])
def test_sms_concerns_no_address(fields: dict[str, str]) -> None:
    event = one(recipient="+33600000000", **fields)
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


def test_inbound_mail_concerns_no_contact() -> None:
    event = one(event_type="email_inbound")
    assert (event.kind, event.address) == (Kind.OTHER, None)


def test_an_event_about_nobody_is_set_aside() -> None:
    with pytest.raises(UnreadablePayload, match="nobody"):
        one(recipient=None)


def test_the_sending_domain_is_reported() -> None:
    assert with_own_account(one(), "sending_domain", PROVIDER.account_paths).account == "example.com"


def test_one_signature_of_several_is_enough_with_and_without_their_version() -> None:
    vendor = SweegoSamples()
    [request] = vendor.requests([sample()], now=NOW)
    good = request.headers["webhook-signature"]
    for given in (f"c3RyYW5nZXI= {good}", f"{good} c3RyYW5nZXI=", f"v1,c3RyYW5nZXI= v1,{good}"):
        changed = msgspec.structs.replace(request, headers={**request.headers, "webhook-signature": given})
        verdict = PROVIDER.bind(vendor.source("first")).authenticate(changed, now=NOW, certificates={})
        assert isinstance(verdict, Accepted)


def test_the_signature_may_stand_with_and_without_its_version() -> None:
    sender = SweegoSamples()
    request = sender.requests([sample()], now=NOW)[0]
    bare = request.headers["webhook-signature"]
    for given, verdict in ((bare, Accepted), (f"v1,{bare}", Accepted), (f"v2,{bare}", Refused), ("", Refused)):
        changed = msgspec.structs.replace(request, headers={**request.headers, "webhook-signature": given})
        assert isinstance(PROVIDER.bind(sender.source("main")).authenticate(changed, now=NOW, certificates={}), verdict)


def test_a_secret_that_is_no_base64_is_reported() -> None:
    source = msgspec.structs.replace(SweegoSamples().source("main"), secrets=(Secret("not base64!"),))
    assert PROVIDER.check_source(source)
