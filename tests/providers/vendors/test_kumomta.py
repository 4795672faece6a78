"""What KumoMTA's log hook reports."""

import json
from typing import Any

import pytest

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_envelope, parse_request
from tests.providers.sample_events import NOW, all_kinds_but, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.kumomta import CLASSES, PROVIDER, TYPES
from worker.samples.kumomta import KumoMtaSamples, sample_record
from worker.samples.posting import post

# https://docs.kumomta.com/reference/log_record/ and the bounce classifier's predefined classes.
VENDOR_TYPES = (
    "Reception Delivery Bounce TransientFailure Expiration AdminBounce OOB Feedback Rejection Delayed Delay "
    "AdminRebind DeferredInjectionRebind XferIn XferOut"
)
VENDOR_CLASSES = (
    "InvalidRecipient DNSFailure SpamBlock SpamContent ProhibitedAttachment RelayDenied AutoReply TransientFailure "
    "Subscribe Unsubscribe ChallengeResponse BadConfiguration BadConnection BadDomain ContentRelated InactiveMailbox "
    "InvalidSender MessageExpired NoAnswerFromHost PolicyRelated ProtocolErrors QuotaIssues RelayingIssues "
    "RoutingErrors SpamRelated VirusRelated AuthenticationFailed TooManyRecipients Uncategorized"
)
# By the vendor's description of each class: https://docs.kumomta.com/rustapi/bounce_classify/
MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "InvalidRecipient",
        (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST): "BadDomain",
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED): "InactiveMailbox",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "QuotaIssues",
        (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE): "DNSFailure",
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "RoutingErrors NoAnswerFromHost BadConnection",
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE): "TransientFailure",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "MessageExpired",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "Uncategorized",
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "SpamBlock SpamRelated",
        # KumoMTA's rules put every 5.7.1 into AuthenticationFailed: it proves a policy and no more.
        (Kind.BLOCKED, Cause.POLICY): "PolicyRelated AuthenticationFailed",
        (Kind.BLOCKED, Cause.CONTENT): "SpamContent ContentRelated ProhibitedAttachment",
        (Kind.BLOCKED, Cause.VIRUS): "VirusRelated",
        (Kind.BLOCKED, Cause.RATE_LIMITED): "TooManyRecipients",
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): (
            "RelayDenied InvalidSender ProtocolErrors BadConfiguration RelayingIssues"
        ),
        (Kind.OTHER, Cause.AUTO_REPLY): "AutoReply",
        (Kind.OTHER, Cause.CHALLENGE_RESPONSE): "ChallengeResponse",
        (Kind.OTHER, Cause.NONE): "Subscribe",
        (Kind.UNSUBSCRIBE, Cause.NONE): "Unsubscribe",
    }
)
UNSAYABLE = {Kind.DROPPED, Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBE}


def read(*records: Any) -> list[FeedbackEvent]:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="kumo",
        provider="kumomta",
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=json.dumps(list(records)).encode(),
    )
    return parse_envelope(PROVIDER, envelope)


def record(**other: Any) -> dict[str, Any]:
    return sample_record(sample()) | other


def response(content: str, code: int = 550, enhanced: str | None = None) -> dict[str, Any]:
    digits = [int(digit) for digit in enhanced.split(".")] if enhanced else None
    told = dict(zip(("class", "subject", "detail"), digits, strict=True)) if digits else None
    return {"code": code, "enhanced_code": told, "content": content, "command": None}


class TestKumoMta(ProviderConformance):
    provider_name = "kumomta"
    make_sender = KumoMtaSamples
    event_field = "type"
    told_at_least = ("type", "recipient")
    kinds = all_kinds_but(*UNSAYABLE)
    signs_body = False


def test_the_tables_have_no_gap() -> None:
    assert set(TYPES) == set(VENDOR_TYPES.split())
    assert set(CLASSES) == set(VENDOR_CLASSES.split())


@pytest.mark.parametrize("label", VENDOR_CLASSES.split())
def test_a_class_decides_where_the_response_says_nothing(label: str) -> None:
    (event,) = read(record(bounce_classification=label, response=None))
    assert (event.kind, event.cause) == MEANINGS[label]
    assert event.vendor_event == f"Bounce/{label}"


def test_a_class_of_the_operators_own_is_read_as_none() -> None:
    (event,) = read(record(bounce_classification="OurOwn", response=None))
    assert (event.kind, event.cause, event.recognised) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED, True)


def test_a_class_is_believed_over_a_bare_554_and_not_over_a_policy_code() -> None:
    for enhanced, cause in ((None, Cause.MAILBOX_FULL), ("5.7.1", Cause.POLICY)):
        (event,) = read(record(bounce_classification="QuotaIssues", response=response("sorry", 554, enhanced)))
        assert event.cause is cause


@pytest.mark.parametrize(
    ("label", "told", "kind", "cause"),
    [
        (
            "AuthenticationFailed",
            response("user unknown", 550, "5.7.1"),
            Kind.HARD_BOUNCE,
            Cause.MAILBOX_DOES_NOT_EXIST,
        ),
        ("QuotaIssues", response("too big", 552, "5.3.4"), Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE),
        ("InvalidRecipient", response("listed on a blocklist", 554, "5.7.1"), Kind.BLOCKED, Cause.SENDER_REPUTATION),
    ],
)
def test_the_response_has_the_say_over_the_class(label: str, told: dict[str, Any], kind: Kind, cause: Cause) -> None:
    (event,) = read(record(bounce_classification=label, response=told))
    assert (event.kind, event.cause) == (kind, cause)


@pytest.mark.parametrize(
    ("command", "kind", "cause"),
    [
        ("MAIL FROM:<news@shop.example>", Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
        ("EHLO shop.example", Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
        ("RCPT TO:<jane@example.org>", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    ],
)
def test_the_command_that_was_refused_tells_whose_fault_it_is(command: str, kind: Kind, cause: Cause) -> None:
    (event,) = read(record(type="Bounce", response=response("does not exist") | {"command": command}))
    assert (event.kind, event.cause) == (kind, cause)


def test_an_out_of_band_bounce_is_read_by_its_words_as_its_code_may_be_made_up() -> None:
    told = response("smtp; 452 4.2.2 mailbox full", 550, "5.0.0")
    (event,) = read(record(type="OOB", response=told, num_attempts=0))
    assert (event.kind, event.cause, event.smtp_code) == (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL, 452)
    (event,) = read(record(type="OOB", response=response("unspecified", 550), bounce_classification="Uncategorized"))
    assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)


def test_a_message_that_was_tried_to_the_end_is_no_hard_bounce() -> None:
    told = response("Next delivery time is too late", 551)
    (event,) = read(record(type="Expiration", response=told, bounce_classification="Uncategorized"))
    assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.EXPIRED)
    (full,) = read(record(type="Expiration", response=told, bounce_classification="QuotaIssues"))
    assert (full.kind, full.cause) == (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)


@pytest.mark.parametrize("name", ["TransientFailure", "Delayed"])
def test_an_attempt_is_a_deferral(name: str) -> None:
    (event,) = read(record(type=name, response=response("452 4.2.2 mailbox full", 452, "4.2.2")))
    assert (event.kind, event.cause) == (Kind.DEFERRED, Cause.MAILBOX_FULL)


def test_what_the_operator_bounced_is_nobodys_fault() -> None:
    (event,) = read(record(type="AdminBounce"))
    assert (event.kind, event.cause) == (Kind.DROPPED, Cause.NONE)


def test_records_about_the_hooks_own_posts_are_left_out() -> None:
    assert read(record(reception_protocol="LogRecord"), record(type="Delivery"))[0].kind is Kind.DELIVERED
    assert read(record(reception_protocol="LogRecord")) == []


def test_a_record_about_several_recipients_is_an_event_for_each() -> None:
    events = read(record(recipient=["a@example.org", "b@example.org"]))
    assert [event.address for event in events] == ["a@example.org", "b@example.org"]
    assert events[0].event_key != events[1].event_key


def test_attempts_and_records_are_distinguished() -> None:
    records = [record(), record(num_attempts=2), record(type="OOB"), record(nodeid="x"), record(id="y")]
    assert len({event.event_key for event in read(*records, *records)}) == len(records)


class TestComplaints:
    def complaint(self, **report: Any) -> list[FeedbackEvent]:
        told = sample_record(sample(Kind.COMPLAINT, Cause.ABUSE_REPORT))
        return read(told | {"feedback_report": told["feedback_report"] | report})

    @pytest.mark.parametrize(
        ("name", "kind", "cause", "known"),
        [
            ("abuse", Kind.COMPLAINT, Cause.ABUSE_REPORT, True),
            ("Fraud", Kind.COMPLAINT, Cause.FRAUD_REPORT, True),
            ("not-spam", Kind.OTHER, Cause.NONE, True),
            ("auth-failure", Kind.OTHER, Cause.NONE, True),
            ("virus", Kind.OTHER, Cause.NONE, True),
            ("other", Kind.OTHER, Cause.NONE, True),
            ("new", Kind.OTHER, Cause.NONE, False),
        ],
    )
    def test_are_what_their_report_says(self, name: str, kind: Kind, cause: Cause, known: bool) -> None:  # noqa: FBT001
        (event,) = self.complaint(feedback_type=name)
        assert (event.kind, event.cause, event.recognised) == (kind, cause, known)

    def test_are_about_the_trace_before_the_redacted_address(self) -> None:
        assert [event.address for event in self.complaint()] == ["jane@example.org"]
        (event,) = self.complaint(supplemental_trace=None)
        assert event.address == "3fb1c0ffee@provider.example"
        (event,) = self.complaint(supplemental_trace=None, original_rcpto_to=["redacted"])
        assert event.address is None

    def test_are_of_the_account_that_sent_the_mail(self) -> None:
        (event,) = self.complaint()
        assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "news.example.com"
        assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "tenant"


def test_lines_and_arrays_are_read_alike() -> None:
    records = [record(), record(id="2")]
    lines = "\n".join(json.dumps(one) for one in records).encode()
    sender = KumoMtaSamples()
    request = post("kumomta", lines, {"authorization": f"Bearer {sender.secret}"})
    by_lines = parse_request(PROVIDER, request)
    assert [event.event_key for event in by_lines] == [event.event_key for event in read(*records)]


def test_recipients_of_one_record_are_an_event_each_also_where_it_has_no_time() -> None:
    told = record(recipient=["a@example.org", "b@example.org", "a@example.org"], event_time=None, timestamp=None)
    events = read(told)
    assert [event.address for event in events] == ["a@example.org", "b@example.org"]
    assert len({event.event_key for event in (*events, *read(told))}) == 2


def test_a_record_about_more_recipients_than_a_mail_can_have_is_malformed_among_others() -> None:
    first, second = read(record(recipient=[f"{number}@example.org" for number in range(2_000)]), record())
    assert (first.vendor_event, second.kind) == ("malformed", Kind.HARD_BOUNCE)


def test_campaign_message_id_and_meta_are_kept() -> None:
    (event,) = read(record(queue="summer:acme@example.org", meta={"tenant": "acme"}, headers={"message-id": "<a@b>"}))
    assert (event.tags, event.message_id) == (("summer",), "a@b")
    assert event.metadata == {"tenant": "acme", "message-id": "<a@b>"}
    (event,) = read(record(queue="example.org", headers={}, id="spool"))
    assert (event.tags, event.message_id) == ((), "spool")


def test_a_record_without_a_type_is_malformed_among_others() -> None:
    first, second = read({"id": "x"}, record())
    assert (first.vendor_event, second.kind) == ("malformed", Kind.HARD_BOUNCE)
