"""Scaleway Transactional Email: what all providers do, and what only it does."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.reading import parse_request
from tests.providers.sample_events import ALL_KINDS, NOW, sample
from tests.providers.sns_conformance import SnsConformance
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.scaleway_tem import ENDPOINTS, EVENTS, PROVIDER, issuers_url
from worker.providers.verdict import Accepted, Answered, CertificateNeeded, ConfirmSubscription, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.scaleway_tem import CERTIFICATE_URL, TOPIC, ScalewayTemSamples, sample_values

# https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads
VENDOR_EVENTS = {
    "unknown_type",
    "email_queued",
    "email_dropped",
    "email_deferred",
    "email_delivered",
    "email_spam",
    "email_mailbox_not_found",
    "email_blocklisted",
    "blocklist_created",
}
_CONFIRM = f"https://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=abc"
_NOT_TOLD = {Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBE, Kind.COMPLAINT, Kind.OTHER}


@cache
def shared_sender() -> ScalewayTemSamples:
    """One for all tests: making its keys takes its time."""
    return ScalewayTemSamples()


class TestScalewayTem(SnsConformance):
    provider_name = "scaleway_tem"
    make_sender = shared_sender
    event_field = "type"
    told_at_least = ("type", "email_to")
    kinds = (
        *(pair for pair in ALL_KINDS if pair[0] not in _NOT_TOLD),
        (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    )


def judge(request: WebhookRequest, source: Source | None = None, *, now: datetime = NOW) -> Judgement:
    return PROVIDER.bind(source or shared_sender().source("first")).authenticate(request, now=now, certificates={})


def notification() -> WebhookRequest:
    return shared_sender().requests([sample()], now=NOW)[0]


def read(**other: Any) -> FeedbackEvent:
    request = shared_sender().notification(json.dumps(sample_values(sample()) | other), now=NOW)
    (event,) = parse_request(PROVIDER, request)
    return event


def test_every_documented_event_has_a_meaning() -> None:
    assert set(EVENTS) == VENDOR_EVENTS


@pytest.mark.parametrize(
    ("name", "code", "words", "kind", "cause"),
    [
        ("email_dropped", 550, "5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("email_mailbox_not_found", 550, "5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("email_mailbox_not_found", 550, "rejected", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("email_mailbox_not_found", 550, "5.7.1 listed by zen.spamhaus.org", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("email_dropped", 554, "5.7.1 your IP address is on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("email_dropped", 552, "5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("email_dropped", None, None, Kind.HARD_BOUNCE, Cause.UNDETERMINED),
        ("email_deferred", 451, "4.3.2 try again later", Kind.DEFERRED, Cause.SERVER_UNAVAILABLE),
        ("email_deferred", None, None, Kind.DEFERRED, Cause.UNDETERMINED),
        ("email_mailbox_not_found", 554, "5.7.1 blocked", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("email_spam", 550, "5.7.1 looks like spam", Kind.BLOCKED, Cause.CONTENT),
        ("email_spam", 550, "5.7.26 message failed DMARC authentication", Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
        ("email_spam", None, None, Kind.BLOCKED, Cause.CONTENT),
        ("email_blocklisted", 550, "5.1.1 user unknown", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    ],
)
def test_the_servers_reply_refines_what_leaves_it_open(
    name: str, code: int | None, words: str | None, kind: Kind, cause: Cause
) -> None:
    event = read(type=name, email_response_code=code, email_response_message=words)
    assert (event.kind, event.cause) == (kind, cause)


def test_an_entry_of_the_blocklist_is_an_echo_with_its_reason() -> None:
    event = read(type="blocklist_created", blocklist_type="mailbox_full", email_id=None)
    assert (event.kind, event.cause) == (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER)
    assert event.vendor_event == "blocklist_created/mailbox_full"


def test_an_event_without_type_or_about_nobody_is_set_aside() -> None:
    for other in ({"type": None}, {"email_to": None}):
        with pytest.raises(UnreadablePayload):
            read(**other)
    assert read(type="unknown_type", email_to=None).recognised


def test_headers_and_accounts_are_reported() -> None:
    event = read(email_headers=[{"key": "X-Order", "value": "77"}, {"key": "From", "value": "a"}, {"key": 3}, None])
    assert event.metadata == {"X-Order": "77"}
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.org"
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account.endswith("444444444444")


def test_without_an_id_the_sns_message_names_the_event() -> None:
    assert read(id=None).event_key == read(id=None).event_key
    assert read(id=None).event_key != read(id=None, email_id="m2").event_key


def test_a_confirmation_carries_no_event() -> None:
    with pytest.raises(UnreadablePayload, match="carries no feedback"):
        parse_request(PROVIDER, shared_sender().confirmation(_CONFIRM, now=NOW))


class TestProof:
    def test_certificate_and_authority_are_asked_for_in_turn(self) -> None:
        source = Source(name="first", provider=PROVIDER.name, options={"topics": [TOPIC]})
        needed: list[str] = []
        certificates: dict[str, bytes] = {}
        held = {CERTIFICATE_URL: shared_sender().certificate_pem, issuers_url(TOPIC): shared_sender().authority_pem}
        verdict: Judgement = CertificateNeeded(url="")
        for _ in range(3):
            verdict = PROVIDER.bind(source).authenticate(notification(), now=NOW, certificates=certificates)
            if isinstance(verdict, CertificateNeeded):
                needed.append(verdict.url)
                certificates[verdict.url] = held[verdict.url]
        assert needed == [CERTIFICATE_URL, "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-trust-chain.pem"]
        assert isinstance(verdict, Accepted)

    def test_a_certificate_of_another_authority_proves_nothing(self) -> None:
        stranger = ScalewayTemSamples()
        pinned = {
            CERTIFICATE_URL: stranger.certificate_pem.decode(),
            issuers_url(TOPIC): shared_sender().authority_pem.decode(),
        }
        source = Source(
            name="first", provider=PROVIDER.name, options={"topics": [TOPIC], "pinned_certificates": pinned}
        )
        verdict = judge(stranger.requests([sample()], now=NOW)[0], source)
        assert isinstance(verdict, Refused)
        assert (verdict.reason, verdict.http_status) == ("certificate_not_issued", 503)

    def test_what_is_no_authority_issues_nothing(self) -> None:
        sender = shared_sender()
        options = {
            "topics": [TOPIC],
            "pinned_certificates": {
                CERTIFICATE_URL: sender.certificate_pem.decode(),
                issuers_url(TOPIC): sender.certificate_pem.decode(),
            },
        }
        verdict = judge(notification(), Source(name="first", provider=PROVIDER.name, options=options))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "certificate_not_issued"

    def test_an_authority_out_of_date_issues_nothing(self) -> None:
        verdict = judge(notification(), now=datetime(2199, 2, 1, tzinfo=UTC))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "certificate_not_issued"

    @pytest.mark.parametrize("version", ["1", "2"])
    def test_both_versions_of_the_signature_are_taken(self, version: str) -> None:
        fields = json.loads(notification().body)
        kept = {name: value for name, value in fields.items() if not name.startswith("Sign")}
        assert isinstance(judge(shared_sender().request(kept, version=version)), Accepted)

    def test_another_topic_may_not_speak(self) -> None:
        other = TOPIC.replace("mail-feedback", "elsewhere")
        verdict = judge(shared_sender().notification("{}", now=NOW, topic=other))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "topic_not_allowed"

    @pytest.mark.parametrize(
        "url",
        [
            "http://messaging.s3.fr-par.scw.cloud/fr-par/sns/a.pem",
            "https://attacker.s3.fr-par.scw.cloud/fr-par/sns/a.pem",
            "https://messaging.s3.fr-par.scw.cloud.example.org/fr-par/sns/a.pem",
            "https://messaging.s3.fr-par.scw.cloud@example.org/fr-par/sns/a.pem",
            "https://messaging.s3.fr-par.scw.cloud:8443/fr-par/sns/a.pem",
            "https://messaging.s3.fr-par.scw.cloud/../a.pem",
            "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/a.pem?b=c",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
        ],
    )
    def test_no_other_place_is_asked_for_a_certificate(self, url: str) -> None:
        fields = json.loads(notification().body)
        kept = {name: value for name, value in fields.items() if not name.startswith("Sign")}
        verdict = judge(shared_sender().request(kept, certificate_url=url))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "certificate_url_refused"

    def test_a_token_in_the_url_is_asked_for_where_there_is_one(self) -> None:
        source = msgspec.structs.replace(shared_sender().source("first"), secrets=(Secret("long-token"),))
        assert PROVIDER.check_source(source) == []
        assert isinstance(judge(notification(), source), Refused)
        shown = msgspec.structs.replace(notification(), query={"token": "long-token"})
        assert isinstance(judge(shown, source), Accepted)

    def test_a_source_without_topics_or_with_odd_ones_is_reported(self) -> None:
        def problems(**options: Any) -> str:
            return " ".join(PROVIDER.check_source(Source(name="a", provider=PROVIDER.name, options=options)))

        assert "topics is empty" in problems()
        assert "no ARN" in problems(topics=["arn:aws:sns:eu-west-1:000000000000:mail"])
        assert "signature_versions" in problems(topics=[TOPIC], signature_versions=["3"])
        assert "pinned_certificates" in problems(topics=[TOPIC], pinned_certificates={"https://example.org/a.pem": "x"})


class TestSubscription:
    def test_is_confirmed_at_scaleway(self) -> None:
        verdict = judge(shared_sender().confirmation(_CONFIRM, now=NOW))
        assert isinstance(verdict, ConfirmSubscription)
        assert (verdict.url, verdict.topic) == (_CONFIRM, TOPIC)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("https:", "http:"),
            ("sns.mnq.", "sns.example."),
            (".scaleway.com", ".scaleway.com.example.org"),
            (".scaleway.com", ".scaleway.com:22"),
            ("mail-feedback", "elsewhere"),
            ("ConfirmSubscription", "Unsubscribe"),
            ("sns.mnq", "user@sns.mnq"),
        ],
    )
    def test_is_confirmed_nowhere_else(self, old: str, new: str) -> None:
        url = _CONFIRM.replace(old, new)
        assert not ENDPOINTS.is_subscribe_url(url, TOPIC)
        verdict = judge(shared_sender().confirmation(url, now=NOW))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "subscribe_url_refused"

    def test_its_end_is_answered_and_reported(self) -> None:
        fields = json.loads(shared_sender().confirmation(_CONFIRM, now=NOW).body)
        kept = {name: value for name, value in fields.items() if not name.startswith("Sign")}
        verdict = judge(shared_sender().request({**kept, "Type": "UnsubscribeConfirmation"}))
        assert isinstance(verdict, Answered)
        assert verdict.reason == "subscription_ended"

    def test_an_open_source_confirms_at_scaleway_only(self) -> None:
        source = Source(name="first", provider=PROVIDER.name, authentication="none")
        assert PROVIDER.check_source(source) == []
        assert isinstance(judge(shared_sender().confirmation(_CONFIRM, now=NOW), source), ConfirmSubscription)
        elsewhere = _CONFIRM.replace("scaleway.com", "example.org")
        assert isinstance(judge(shared_sender().confirmation(elsewhere, now=NOW), source), Refused)
