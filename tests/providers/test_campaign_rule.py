"""The campaign of an event: the vendor's own field, or where the operator says."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from tests.schemas.feedback_events import START, make_event
from worker.providers.campaign_rule import check_campaign_rule, with_campaign
from worker.providers.registry import PROVIDERS

AT = int(START.timestamp())
WHO = "jane@example.org"


def event(**fields: Any) -> FeedbackEvent:
    return replace(make_event(Kind.DELIVERED), **fields)


@pytest.mark.parametrize(
    ("rule", "fields", "campaign"),
    [
        ("metadata.campaign", {"metadata": {"campaign": "spring"}}, "spring"),
        ("metadata.campaign", {"metadata": {"campaign": 7}}, "7"),
        ("tag.campaign-", {"tags": ("vip", "campaign-spring")}, "spring"),
        ("raw.mail.job", {"raw": b'{"mail": {"job": 12}}'}, "12"),
        ("raw.job", {"raw": b"job=spring%202026"}, "spring 2026"),
        ("metadata.campaign", {"metadata": {"campaign": " "}, "campaign": "own"}, "own"),
        ("metadata.campaign", {"metadata": None, "campaign": "own"}, "own"),
        ("metadata.campaign", {"metadata": {"campaign": ["a"]}}, None),
        ("none", {"campaign": "own"}, None),
        ("none", {}, None),
    ],
)
def test_the_rule_names_the_campaign_and_without_it_the_vendors_own_stays(
    rule: str, fields: dict[str, Any], campaign: str | None
) -> None:
    assert with_campaign(event(**fields), rule).campaign == campaign


def test_a_long_campaign_is_cut_and_holds_no_nul() -> None:
    named = with_campaign(event(metadata={"campaign": "a\x00" + "x" * 5_000}), "metadata.campaign").campaign
    assert named is not None
    assert len(named) == 200
    assert "\x00" not in named


def test_the_event_is_the_same_one_under_another_campaign() -> None:
    before = event(metadata={"campaign": "spring"})
    assert with_campaign(before, "metadata.campaign").event_key == before.event_key


@pytest.mark.parametrize("rule", ["", "none", "metadata.campaign", "tag.c-", "raw.a.b[0]"])
def test_a_rule_that_can_be_followed_is_no_problem(rule: str) -> None:
    assert check_campaign_rule(rule) == []


@pytest.mark.parametrize("rule", ["campaign", "subaccount", "metadata.", "raw.a["])
def test_a_rule_that_cannot_be_followed_is_reported(rule: str) -> None:
    (problem,) = check_campaign_rule(rule)
    assert "campaign_from" in problem


# As the vendors' pages show them, cut to what is asked here.
SENDGRID = {"event": "delivered", "email": WHO, "timestamp": AT, "sg_message_id": "m.1"}
MAILJET = {"event": "sent", "time": AT, "email": WHO, "MessageID": 7}
CUSTOMERIO: dict[str, Any] = {"event_id": "01", "object_type": "email", "metric": "delivered", "timestamp": AT}
OWN = {"event": "delivered", "address": WHO}
CASES: list[tuple[str, Any, str | None]] = [
    ("sendgrid", [SENDGRID | {"singlesend_id": "f3a1", "marketing_campaign_id": 12}], "f3a1"),
    ("sendgrid", [SENDGRID | {"marketing_campaign_id": 12, "marketing_campaign_name": "Spring"}], "12"),
    ("sendgrid", [SENDGRID | {"singlesend_id": "  spring "}], "spring"),
    ("sendgrid", [SENDGRID | {"singlesend_id": "spr\x00\x1bing"}], "spring"),
    ("sendgrid", [SENDGRID | {"singlesend_id": " " * 30 + "y" * 200}], "y" * 200),
    ("sendgrid", [SENDGRID | {"singlesend_id": " "}], None),
    ("sendgrid", [SENDGRID], None),
    ("brevo", {"event": "delivered", "email": WHO, "camp_id": 55, "campaign name": "Spring", "ts_event": AT}, "55"),
    ("brevo", {"event": "delivered", "email": WHO, "message-id": "<m@x>", "ts_event": AT}, None),
    ("mailjet", MAILJET | {"mj_campaign_id": 7001, "customcampaign": "spring"}, "spring"),
    ("mailjet", MAILJET | {"mj_campaign_id": 7001, "customcampaign": ""}, "7001"),
    ("mailjet", MAILJET | {"mj_campaign_id": 0, "customcampaign": ""}, None),
    (
        "sparkpost",
        [{"msys": {"message_event": {"type": "delivery", "event_id": "1", "rcpt_to": WHO, "campaign_id": "spring"}}}],
        "spring",
    ),
    ("sweego", {"event_type": "delivered", "recipient": WHO, "event_id": "1", "campaign_id": "spring"}, "spring"),
    ("iterable", {"email": WHO, "eventName": "emailSend", "dataFields": {"campaignId": 11, "messageId": "m"}}, "11"),
    ("customerio", CUSTOMERIO | {"data": {"recipient": WHO, "campaign_id": 7}}, "7"),
    ("customerio", CUSTOMERIO | {"data": {"recipient": WHO, "newsletter_id": 7}}, "newsletter:7"),
    ("customerio", CUSTOMERIO | {"data": {"recipient": WHO, "broadcast_id": 7}}, "broadcast:7"),
    (
        "loops",
        {
            "eventName": "email.delivered",
            "eventTime": AT,
            "sourceType": "campaign",
            "campaignId": "cmp1",
            "contactIdentity": {"email": WHO},
            "email": {"id": "e1"},
        },
        "cmp1",
    ),
    ("mailchannels", [{"event": "delivered", "email": WHO, "timestamp": AT, "campaign_id": "spring"}], "spring"),
    (
        "resend",
        {"type": "email.delivered", "data": {"email_id": "e1", "to": [WHO], "broadcast_id": "8b14"}},
        "8b14",
    ),
    ("sendpulse", [{"event": "delivered", "email": WHO, "timestamp": str(AT), "task_id": "91"}], "91"),
    (
        "socketlabs",
        {"Type": "Delivered", "DateTime": "2026-03-01T12:00:00Z", "Address": WHO, "MailingId": "spring"},
        "spring",
    ),
    ("greenarrow", [{"id": 1, "event_type": "scomp", "event_time": AT, "email": WHO, "sendid": "summer"}], "summer"),
    ("powermta", {"type": "d", "timeLogged": "2026-03-01 12:00:00+0000", "rcpt": WHO, "jobId": "spring"}, "spring"),
    ("bouncekeeper", OWN | {"campaign": "spring"}, "spring"),
    ("bouncekeeper", OWN | {"campaign": 12}, "12"),
    ("bouncekeeper", OWN | {"campaign": ""}, None),
]


def parsed(provider: str, body: bytes, content_type: str = "application/json") -> list[FeedbackEvent]:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="test",
        provider=provider,
        account="default",
        received_at=START,
        content_type=content_type,
        headers={},
        body=body,
    )
    return PROVIDERS[provider].parse(envelope)


@pytest.mark.parametrize(("provider", "body", "campaign"), CASES)
def test_the_vendors_own_field_names_the_campaign(
    provider: str, body: Mapping[str, Any] | list[Any], campaign: str | None
) -> None:
    events = parsed(provider, json.dumps(body).encode())
    assert [one.campaign for one in events] == [campaign]


def test_every_provider_that_says_it_has_such_a_field_is_asked_here() -> None:
    assert {name for name, provider in PROVIDERS.items() if provider.campaign_fields} == {name for name, *_ in CASES}
