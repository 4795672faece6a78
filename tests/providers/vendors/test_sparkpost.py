"""What SparkPost reports: its classes, its echoes, its test batches."""

import base64
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind, Way
from tests.providers.batch_conformance import BatchConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.sparkpost import BOUNCE_CLASSES, EVENTS, PROVIDER
from worker.providers.verdict import Accepted, Refused
from worker.samples.sparkpost import SparkPostSamples, sample_element

# https://support.sparkpost.com/docs/deliverability/bounce-classification-codes, by the names there: what each means
# if the server's words say nothing.
CLASS_MEANINGS = meanings(
    {
        # Undetermined, Soft Bounce, Generic Bounce ("failed for unspecified reasons"), Transient Failure.
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "1 20 40 70",
        # Invalid Recipient.
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "10",
        # Generic Bounce: No RCPT, "no recipient could be determined for the message"; its category is Hard.
        (Kind.HARD_BOUNCE, Cause.UNDETERMINED): "30",
        # DNS Failure, Mailbox Full, Timeout.
        (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE): "21",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "22",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "24",
        # Too Large: its category is Soft there, but the message is at fault, and not the mailbox.
        (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE): "23",
        # Admin Failure, "failed by SparkPost's configured policies": nearly always a suppression list.
        (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER): "25",
        # Mail Block, Spam Block ("a known spam source").
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "50 51",
        # Spam Content, Prohibited Attachment.
        (Kind.BLOCKED, Cause.CONTENT): "52 53",
        # Relaying Denied.
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): "54",
        # Auto-Reply, Challenge-Response: mail that came back, and no failure.
        (Kind.OTHER, Cause.AUTO_REPLY): "60",
        (Kind.OTHER, Cause.CHALLENGE_RESPONSE): "100",
        # Subscribe and Unsubscribe are requests by mail. Anybody can write the first.
        (Kind.OTHER, Cause.NONE): "80",
        (Kind.UNSUBSCRIBE, Cause.NONE): "90",
    }
)
# https://docs.bird.com/api/email-api/webhooks; the last row is only in samples.
EVENT_MEANINGS = meanings(
    {
        (Kind.ACCEPTED, Cause.NONE): "injection",
        (Kind.DELIVERED, Cause.NONE): "delivery",
        (Kind.DEFERRED, Cause.UNDETERMINED): "delay",
        (Kind.DROPPED, Cause.POLICY): "policy_rejection generation_rejection",
        # The template and its data do not fit.
        (Kind.OTHER, Cause.SENDER_CONFIGURATION): "generation_failure",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "bounce out_of_band",
        (Kind.COMPLAINT, Cause.ABUSE_REPORT): "spam_complaint",
        (Kind.OPENED, Cause.NONE): "open initial_open amp_open amp_initial_open",
        (Kind.CLICKED, Cause.NONE): "click amp_click",
        (Kind.UNSUBSCRIBE, Cause.NONE): "list_unsubscribe link_unsubscribe",
        (Kind.OTHER, Cause.NONE): (
            "sms_status relay_message relay_injection relay_rejection relay_delivery relay_tempfail relay_permfail "
            "ab_test_completed ab_test_cancelled success error"
        ),
    }
)


class TestSparkPost(BatchConformance):
    provider_name = "sparkpost"
    event_field = "msys.message_event.type"
    told_at_least = ("msys.message_event.type", "msys.message_event.rcpt_to")
    make_sender = SparkPostSamples
    signs_body = False


def read(*elements: Any) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, SparkPostSamples().posted(elements))


def one(name: str, **values: Any) -> FeedbackEvent:
    (event,) = read({"msys": {"message_event": {"type": name, "rcpt_to": "jane@example.org", **values}}})
    return event


def test_the_vendors_classes_and_events_are_all_mapped() -> None:
    assert set(BOUNCE_CLASSES) == set(CLASS_MEANINGS)
    assert set(EVENTS) == set(EVENT_MEANINGS)


@pytest.mark.parametrize("name", EVENT_MEANINGS)
def test_an_event_without_a_class_and_words_means_what_its_name_says(name: str) -> None:
    event = one(name)
    assert (event.kind, event.cause, event.recognised) == (*EVENT_MEANINGS[name], True)


@pytest.mark.parametrize(
    ("name", "way"),
    [("list_unsubscribe", Way.MAIL_CLIENT), ("link_unsubscribe", Way.FOOTER_LINK), ("click", None)],
)
def test_the_mail_programs_button_and_a_link_are_distinguished(name: str, way: Way | None) -> None:
    assert one(name).way is way


@pytest.mark.parametrize("name", ["bounce", "out_of_band"])
@pytest.mark.parametrize("number", CLASS_MEANINGS)
def test_a_bounce_without_words_means_what_its_class_says(name: str, number: str) -> None:
    for written in (number, int(number)):
        event = one(name, bounce_class=written)
        assert (event.kind, event.cause, event.recognised) == (*CLASS_MEANINGS[number], True)
        assert event.vendor_event == f"{name}/{number}"


@pytest.mark.parametrize("number", [str(number) for number in range(101) if str(number) not in CLASS_MEANINGS])
def test_a_class_that_the_vendor_never_had_harms_nobody_and_is_noticed(number: str) -> None:
    event = one("bounce", bounce_class=number)
    assert (event.kind, event.cause, event.recognised) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED, False)


@pytest.mark.parametrize(
    ("number", "words", "kind", "cause"),
    [
        ("1", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("10", "554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("10", "550 5.2.1 this account is disabled", Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
        ("10", "550 requested action not taken", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("21", "554 5.4.4 domain does not exist", Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
        ("22", "550 5.1.1 user unknown", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("24", "452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("24", "550 5.1.1 user unknown", Kind.SOFT_BOUNCE, Cause.EXPIRED),
        ("30", "452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("50", "550 5.7.26 message failed DMARC authentication", Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
        ("51", "550 5.1.1 user unknown", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("60", "550 5.1.1 user unknown", Kind.OTHER, Cause.AUTO_REPLY),
        ("34", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    ],
)
def test_the_servers_words_refine_what_the_class_leaves_open(number: str, words: str, kind: Kind, cause: Cause) -> None:
    event = one("bounce", bounce_class=number, error_code=words[:3], raw_reason=words, reason="masked")
    assert (event.kind, event.cause, event.diagnostic) == (kind, cause, words)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("554 5.7.1 recipient address was suppressed due to customer policy", Cause.SUPPRESSED_BY_PROVIDER),
        ("recipient address was suppressed due to customer policy (List Unsubscribe)", Cause.UNSUBSCRIBED_AT_PROVIDER),
        # Somebody else's mail was reported, or left: no wish about ours.
        ("recipient address was suppressed due to system policy (Spam Complaint)", Cause.COMPLAINED_AT_PROVIDER),
        ("recipient address was suppressed due to system policy (Link Unsubscribe)", Cause.UNSUBSCRIBED_AT_PROVIDER),
        ("recipient address was suppressed due to customer policy (Bounce Rule)", Cause.SUPPRESSED_BY_PROVIDER),
        ("recipient address was suppressed due to customer policy (Spam Complaint)", Cause.COMPLAINED_AT_PROVIDER),
        ("recipient address was suppressed due to customer policy (Unsubscribe Rule)", Cause.UNSUBSCRIBED_AT_PROVIDER),
    ],
)
@pytest.mark.parametrize(("name", "number"), [("bounce", "25"), ("bounce", "10"), ("policy_rejection", "25")])
def test_a_suppressed_recipient_is_an_echo_and_no_bounce(name: str, number: str, words: str, cause: Cause) -> None:
    event = one(name, bounce_class=number, error_code="554", reason=words)
    assert (event.kind, event.cause) == (Kind.DROPPED, cause)


# "SparkPost maintains a global suppression list across all customers": nothing was told of these addresses before.
@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("554 5.7.1 recipient address was suppressed due to system policy (Bounce Rule)", Cause.MAILBOX_DOES_NOT_EXIST),
        ("Recipient address was suppressed due to system policy", Cause.INVALID_ADDRESS),
    ],
)
@pytest.mark.parametrize(("name", "number"), [("bounce", "25"), ("policy_rejection", "25")])
def test_the_list_of_all_customers_is_the_only_news_and_counts(
    name: str, number: str, words: str, cause: Cause
) -> None:
    event = one(name, bounce_class=number, error_code="554", raw_reason=words, reason=words)
    assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, cause)


def test_a_rejection_for_another_reason_is_the_senders_fault() -> None:
    event = one("generation_rejection", error_code="550", reason="message exceeds the account's limit")
    assert (event.kind, event.cause) == (Kind.DROPPED, Cause.POLICY)


@pytest.mark.parametrize(
    ("number", "words", "cause"),
    [
        ("10", "550 5.1.1 user unknown", Cause.MAILBOX_DOES_NOT_EXIST),
        ("22", "", Cause.MAILBOX_FULL),
        ("10", "", Cause.UNDETERMINED),
        ("90", "", Cause.UNDETERMINED),
    ],
)
def test_a_delay_stays_one_whatever_its_class(number: str, words: str, cause: Cause) -> None:
    event = one("delay", bounce_class=number, raw_reason=words)
    assert (event.kind, event.cause, event.recognised) == (Kind.DEFERRED, cause, True)


@pytest.mark.parametrize(
    ("report", "kind", "cause"),
    [
        ("abuse", Kind.COMPLAINT, Cause.ABUSE_REPORT),
        ("Fraud", Kind.COMPLAINT, Cause.FRAUD_REPORT),
        ("not-spam", Kind.OTHER, Cause.NONE),
        ("virus", Kind.OTHER, Cause.VIRUS),
        ("auth-failure", Kind.OTHER, Cause.SENDER_AUTHENTICATION),
        ("invented", Kind.COMPLAINT, Cause.ABUSE_REPORT),
        (None, Kind.COMPLAINT, Cause.ABUSE_REPORT),
    ],
)
def test_a_complaint_is_one_unless_its_report_says_otherwise(report: str | None, kind: Kind, cause: Cause) -> None:
    event = one("spam_complaint", fbtype=report)
    assert (event.kind, event.cause) == (kind, cause)


def test_the_test_batch_of_a_new_webhook_counts_for_nothing() -> None:
    (event,) = read({"msys": {}})
    assert (event.kind, event.cause, event.address, event.recognised) == (Kind.OTHER, Cause.TEST, None, True)


@pytest.mark.parametrize("name", EVENTS)
def test_the_consoles_samples_count_for_nothing(name: str) -> None:
    event = one(name, rcpt_to="recipient@example.com", bounce_class="10", event_id="92356927693813856")
    assert (event.kind, event.cause) == (Kind.OTHER, Cause.TEST)


def test_a_bounce_mail_that_matched_no_message_is_kept_and_names_nobody() -> None:
    (event,) = read({"msys": {"message_event": {"type": "out_of_band", "bounce_class": "10", "event_id": "7"}}})
    assert (event.kind, event.address, event.message_id) == (Kind.HARD_BOUNCE, None, None)


def test_the_group_is_never_asked_for_and_what_stands_beside_it_is_ignored() -> None:
    values = {"type": "delivery", "rcpt_to": "jane@example.org", "event_id": "7"}
    first, second = read({"msys": {"message_event": values}, "cust": {"id": "1"}}, {"msys": {"invented_event": values}})
    assert first.kind is second.kind is Kind.DELIVERED
    assert first.event_key == second.event_key


def test_inbound_mail_concerns_no_contact() -> None:
    (event,) = read({"msys": {"relay_message": {"content": {}, "friendly_from": "a@example.com"}}})
    assert (event.kind, event.address, event.vendor_event, event.recognised) == (
        Kind.OTHER,
        None,
        "relay_message",
        True,
    )


@pytest.mark.parametrize("name", ["injection", "rejection", "delivery", "tempfail", "permfail"])
def test_our_own_address_to_which_inbound_mail_went_is_no_contact(name: str) -> None:
    event = one(f"relay_{name}", rcpt_to="support@example.com")
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


def test_an_element_without_an_envelope_spoils_no_other() -> None:
    good = sample_element(sample())
    events = read({"event": "bounce"}, {"msys": "bounce"}, {"msys": {"message_event": []}}, 3, good)
    assert [event.vendor_event for event in events] == ["malformed"] * 4 + ["bounce/10"]


def test_time_is_unix_seconds_as_text_or_iso() -> None:
    moment = EARLIER.isoformat()
    for written in (str(int(EARLIER.timestamp())), int(EARLIER.timestamp()), moment, moment.replace("+00:00", "Z")):
        assert one("delivery", timestamp=written).occurred_at == EARLIER


def test_ids_beyond_64_bits_stay_apart() -> None:
    keys = {one("delivery", event_id=str(2**70 + number)).event_key for number in range(3)}
    assert len(keys) == 3


def test_samples_that_share_an_id_keep_keys_of_their_own() -> None:
    assert one("open", event_id="7").event_key != one("initial_open", event_id="7").event_key


def test_tags_campaign_and_metadata_are_kept() -> None:
    event = one("delivery", rcpt_tags=["news"], campaign_id="spring", rcpt_meta={"subscriber_ref": "u-1001"})
    assert (event.tags, event.metadata) == (("news", "spring"), {"subscriber_ref": "u-1001"})


def test_an_open_by_a_prefetching_machine_is_marked() -> None:
    assert one("open", user_agent_parsed={"is_prefetched": True}).machine
    assert not one("open", user_agent_parsed={"is_prefetched": False}).machine
    assert not one("open", user_agent="Mozilla/5.0").machine


def test_account_may_come_from_the_subaccount_or_the_sending_domain() -> None:
    (event,) = read(sample_element(sample()))
    told = [with_own_account(event, rule, PROVIDER.account_paths).account for rule in PROVIDER.account_paths]
    assert dict(zip(PROVIDER.account_paths, told, strict=True)) == {
        "subaccount": "101",
        "sending_domain": "example.org",
    }


@pytest.mark.parametrize(
    ("scheme", "secret", "header", "value"),
    [
        ("", "user:pass", "authorization", "Basic " + base64.b64encode(b"user:pass").decode()),
        ("bearer", "access", "authorization", "Bearer access"),
        ("token", "shared", "x-messagesystems-webhook-token", "shared"),
    ],
)
def test_each_way_of_proof_takes_its_secret_and_nothing_else(scheme: str, secret: str, header: str, value: str) -> None:
    source = Source(name="first", provider="sparkpost", authentication=scheme, secrets=(Secret(secret),))
    assert PROVIDER.check_source(source) == []
    request = SparkPostSamples().posted([{"msys": {}}])
    verdicts = []
    for given in (value, value[:-2] + "zz", ""):
        headers = {"content-type": "application/json"} | ({header: given} if given else {})
        shown = msgspec.structs.replace(request, headers=headers)
        verdicts.append(PROVIDER.bind(source).authenticate(shown, now=NOW, certificates={}))
    assert [type(verdict) for verdict in verdicts] == [Accepted, Refused, Refused]
