"""What Mailchimp Transactional (Mandrill) reports: its signature over URL and form, its codes, its lists."""

import hmac
import json
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.authentication.signed_form import signed_message
from worker.providers.payload.form_payload import decode_form
from worker.providers.vendors.mandrill import BOUNCE_CODES, EVENTS, PROVIDER
from worker.providers.verdict import Accepted, Answered, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mandrill import SAMPLE_URL, MandrillSamples, sample_element

# https://mailchimp.com/developer/transactional/docs/webhooks/#message-events
VENDOR_EVENTS = {
    "send": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "deferral": Kind.DEFERRED,
    "hard_bounce": Kind.HARD_BOUNCE,
    "soft_bounce": Kind.SOFT_BOUNCE,
    "reject": Kind.DROPPED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spam": Kind.COMPLAINT,
    "unsub": Kind.UNSUBSCRIBE,
    "inbound": Kind.OTHER,
}
# By code: what a hard_bounce and a soft_bounce mean with it, if the server's words say nothing. The codes are the
# classes of BoogieTools, which Mandrill does not list. SparkPost does, by these names:
# https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
VENDOR_CODES = {
    # undetermined
    0: ((Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    # invalid recipient; soft bounce
    10: ((Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    20: ((Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    # DNS failure, mailbox full, too large
    21: ((Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST), (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE)),
    22: ((Kind.HARD_BOUNCE, Cause.MAILBOX_FULL), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
    23: ((Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE),) * 2,
    # no recipient, generic bounce
    30: ((Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    40: ((Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    # mail block, spam block, spam content, prohibited attachment, relaying denied
    50: ((Kind.BLOCKED, Cause.SENDER_REPUTATION),) * 2,
    51: ((Kind.BLOCKED, Cause.SENDER_REPUTATION),) * 2,
    52: ((Kind.BLOCKED, Cause.CONTENT),) * 2,
    53: ((Kind.BLOCKED, Cause.CONTENT),) * 2,
    54: ((Kind.BLOCKED, Cause.SENDER_CONFIGURATION),) * 2,
    # auto-reply, transient failure, subscribe, unsubscribe, challenge-response
    60: ((Kind.OTHER, Cause.AUTO_REPLY),) * 2,
    70: ((Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    80: ((Kind.OTHER, Cause.NONE),) * 2,
    90: ((Kind.UNSUBSCRIBE, Cause.NONE),) * 2,
    100: ((Kind.OTHER, Cause.CHALLENGE_RESPONSE),) * 2,
}


class TestMandrill(ProviderConformance):
    provider_name = "mandrill"
    make_sender = MandrillSamples
    event_field = "event"
    told_at_least = ("event", "msg.email")
    empty_bodies = (b"mandrill_events=%5B%5D", b"mandrill_events=", b"other=1", b"[]", b"{}")

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b"jane%40", b"john%40"))

    def documents(self, request: WebhookRequest) -> list[Any]:
        elements: list[Any] = json.loads(decode_form(request.body, "form")["mandrill_events"])
        return elements

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return form([document])


FORM = "application/x-www-form-urlencoded"


def form(elements: Any) -> bytes:
    return urlencode({"mandrill_events": json.dumps(elements)}).encode()


def read(*elements: Any) -> list[FeedbackEvent]:
    return parse_body(PROVIDER, form(elements), FORM)


def one(event: str, **message: Any) -> FeedbackEvent:
    (read_event,) = read(
        {"event": event, "_id": "m1", "ts": 1772600767, "msg": {"email": "jane@example.org", **message}}
    )
    return read_event


def judge(request: WebhookRequest, sender: MandrillSamples, **options: Any) -> type:
    source = msgspec.structs.replace(sender.source("first"), options=options)
    return type(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}))


class TestSignature:
    def test_is_the_one_that_the_vendor_computes(self) -> None:
        # By openssl: HMAC-SHA1 with key "k" over "https://example.org/hook" + "mandrill_events" + "[]", base64.
        request = MandrillSamples().posted([])
        signed = msgspec.structs.replace(
            request, headers={**request.headers, "x-mandrill-signature": "Y1wLUKP3Y3FE5D0ZzsipdKXRb2U="}
        )
        source = Source(
            name="first", provider="mandrill", secrets=(Secret("k"),), options={"url": "https://example.org/hook"}
        )
        assert isinstance(PROVIDER.bind(source).authenticate(signed, now=NOW, certificates={}), Answered)

    def test_holds_for_the_url_as_entered_and_for_no_other(self) -> None:
        sender = MandrillSamples()
        request = sender.posted([sample_element(sample())])
        assert judge(request, sender, url=SAMPLE_URL) is Accepted
        assert judge(request, sender, url=f"{SAMPLE_URL}/") is Refused
        assert judge(request, sender, url=SAMPLE_URL.replace("https", "http")) is Refused
        assert judge(request, sender) is Refused

    def test_may_be_over_one_of_several_urls(self) -> None:
        sender = MandrillSamples()
        request = sender.posted([sample_element(sample())])
        assert judge(request, sender, urls=["https://other.example.org/hook", SAMPLE_URL]) is Accepted
        assert judge(request, sender, url="https://other.example.org/hook", urls=[SAMPLE_URL]) is Accepted
        assert judge(request, sender, urls=["https://other.example.org/hook"]) is Refused

    def test_covers_further_fields_in_the_order_of_their_names(self) -> None:
        sender = MandrillSamples()
        request = sender.posted([])
        assert judge(msgspec.structs.replace(request, body=b"a=1&" + request.body), sender, url=SAMPLE_URL) is Refused

    def test_by_the_test_key_is_good_for_an_empty_array_alone(self) -> None:
        sender = MandrillSamples()
        assert judge(sender.posted([], key="test-webhook"), sender, url=SAMPLE_URL) is Answered
        assert judge(sender.posted([]), sender, url=SAMPLE_URL) is Answered
        told = sender.posted([sample_element(sample())], key="test-webhook")
        assert judge(told, sender, url=SAMPLE_URL) is Refused

    def test_by_the_test_key_is_good_for_no_field_beside_the_empty_array(self) -> None:
        sender = MandrillSamples()
        fields = {"mandrill_events": b"[]", "z": b"1" * 1_000}
        digest = hmac.digest(b"test-webhook", signed_message(SAMPLE_URL, fields.items()), "sha1")
        posted = msgspec.structs.replace(
            sender.posted([]),
            body=urlencode(fields).encode(),
            headers={"x-mandrill-signature": b64encode(digest).decode()},
        )
        assert judge(posted, sender, url=SAMPLE_URL) is Refused

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"url": ""},
            {"url": "example.org/hook"},
            {"url": "https://<your host>/webhooks/first"},
            {"urls": []},
            {"urls": ["x"]},
        ],
    )
    def test_without_the_url_is_reported_before_webhooks_are_refused(self, options: dict[str, Any]) -> None:
        source = msgspec.structs.replace(MandrillSamples().source("first"), options=options)
        (problem,) = PROVIDER.check_source(source)
        assert "as it was entered" in problem


def test_the_vendors_events_are_all_mapped() -> None:
    assert set(EVENTS) == set(VENDOR_EVENTS)


@pytest.mark.parametrize("name", VENDOR_EVENTS)
def test_an_event_without_code_and_words_is_what_its_name_says(name: str) -> None:
    event = one(name, bgtools_code=None, diag=None)
    assert (event.kind, event.recognised) == (VENDOR_EVENTS[name], True)


def test_the_vendors_bounce_codes_are_all_mapped() -> None:
    assert set(BOUNCE_CODES) == set(VENDOR_CODES)


@pytest.mark.parametrize("code", VENDOR_CODES)
def test_a_bounce_without_words_means_what_event_and_code_say(code: int) -> None:
    for name, meaning in zip(("hard_bounce", "soft_bounce"), VENDOR_CODES[code], strict=True):
        event = one(name, bgtools_code=code, diag="")
        assert (event.kind, event.cause) == meaning
        assert PROVIDER.vocabulary[event.vendor_event] == meaning


@pytest.mark.parametrize(("description", "code"), [("bad_mailbox", 10), ("invalid_domain", 21), ("mailbox_full", 22)])
def test_a_description_stands_for_its_missing_code(description: str, code: int) -> None:
    assert one("hard_bounce", bounce_description=description).vendor_event == f"hard_bounce/{code}"


@pytest.mark.parametrize(
    ("name", "code", "words", "kind", "cause"),
    [
        ("hard_bounce", 10, "smtp;550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hard_bounce", 10, "smtp;554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("hard_bounce", 10, "smtp;452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("soft_bounce", 40, "smtp;550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("soft_bounce", 50, "smtp;550 5.7.26 failed DMARC", Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
        ("soft_bounce", 51, "smtp;550 5.1.1 user unknown", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("soft_bounce", 999, "", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        ("hard_bounce", None, "", Kind.HARD_BOUNCE, Cause.UNDETERMINED),
        ("deferral", 10, "smtp;550 5.1.1 user unknown", Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST),
        ("deferral", None, None, Kind.DEFERRED, Cause.UNDETERMINED),
    ],
)
def test_the_servers_words_have_the_last_say(
    name: str, code: int | None, words: str | None, kind: Kind, cause: Cause
) -> None:
    event = one(name, bgtools_code=code, diag=words)
    assert (event.kind, event.cause, event.diagnostic) == (kind, cause, words or None)


def test_words_may_stand_with_the_last_attempt_alone() -> None:
    event = one("deferral", smtp_events=[{"diag": "451 4.3.2 busy"}, {"diag": "452 4.2.2 mailbox full"}])
    assert (event.cause, event.smtp_code) == (Cause.MAILBOX_FULL, 452)


@pytest.mark.parametrize(
    ("reason", "kind", "cause"),
    [
        ("hard-bounce", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("soft-bounce", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("custom", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("spam", Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER),
        ("unsub", Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
        ("invalid", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
        ("invalid-sender", Kind.DROPPED, Cause.SENDER_CONFIGURATION),
        ("test-mode-limit", Kind.DROPPED, Cause.SENDER_CONFIGURATION),
        ("unsigned", Kind.DROPPED, Cause.SENDER_AUTHENTICATION),
        ("rule", Kind.DROPPED, Cause.POLICY),
    ],
)
def test_a_reject_is_an_echo_unless_no_such_address_can_exist(reason: str, kind: Kind, cause: Cause) -> None:
    for message in ({"reject_reason": reason}, {"reject": {"reason": reason}}):
        event = one("reject", **message)
        assert (event.kind, event.cause) == (kind, cause)
        assert event.vendor_event == f"reject/{reason}"
    assert one("reject").cause is Cause.SUPPRESSED_BY_PROVIDER


@pytest.mark.parametrize("name", ["blacklist", "whitelist", "denylist", "allowlist", "safelist"])
@pytest.mark.parametrize("action", ["add", "change", "remove"])
def test_a_change_of_mandrills_lists_changes_nothing_here(name: str, action: str) -> None:
    entry = {"email": "jane@example.org", "reason": "hard-bounce", "detail": "550 no such user"}
    for values in ({"reject": entry}, {"entry": entry}):
        (event,) = read({"type": name, "action": action, "ts": 1772600767, **values})
        assert (event.kind, event.recognised, event.address) == (Kind.OTHER, True, "jane@example.org")
        assert event.vendor_event == f"{name}/{action}"


def test_mail_that_somebody_wrote_to_us_concerns_no_contact() -> None:
    (event,) = read({"event": "inbound", "ts": 1772600767, "msg": {"email": "us@example.org", "raw_msg": "…"}})
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


@pytest.mark.parametrize("name", VENDOR_EVENTS)
def test_the_consoles_samples_count_for_nothing(name: str) -> None:
    sample_id = "exampleaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    by_address, by_id = read(
        {"event": name, "ts": 1365109999, "msg": {"email": "example.webhook@mandrillapp.com"}},
        {"event": name, "_id": sample_id, "ts": 1365109999, "msg": {"_id": sample_id, "email": "jane@example.org"}},
    )
    assert by_id.cause is Cause.TEST
    assert by_address.kind is by_id.kind is Kind.OTHER
    (sync,) = read({"type": "blacklist", "action": "add", "reject": {"email": "example.webhook@mandrillapp.com"}})
    assert (sync.kind, sync.cause) == (Kind.OTHER, Cause.TEST)


def test_message_and_list_events_come_in_one_batch_and_what_is_neither_spoils_no_other() -> None:
    events = read(
        {"event": "send", "_id": "m1", "ts": 1, "msg": {"email": "jane@example.org"}},
        {"type": "whitelist", "action": "add", "entry": {"email": "jane@example.org"}},
        {"something": "else"},
        3,
    )
    assert [event.vendor_event for event in events] == ["send", "whitelist/add", "malformed", "malformed"]


def test_time_is_that_of_the_event_and_not_of_the_sending() -> None:
    seconds = int(EARLIER.timestamp())
    (event,) = read(
        {"event": "open", "_id": "m1", "ts": seconds, "msg": {"ts": seconds - 900, "email": "a@example.org"}}
    )
    assert event.occurred_at == EARLIER


def test_empty_parts_may_be_null_or_the_array_that_php_writes() -> None:
    empties: tuple[Any, ...] = (None, [])
    for empty in empties:
        event = one("hard_bounce", tags=empty, metadata=empty, smtp_events=empty, diag=None, subaccount=None)
        assert (event.tags, event.metadata, event.diagnostic) == ((), None, None)


def test_events_of_one_message_have_keys_of_their_own() -> None:
    def element(name: str, seconds: int, **other: Any) -> dict[str, Any]:
        return {"event": name, "_id": "m1", "ts": seconds, "msg": {"email": "jane@example.org"}, **other}

    events = read(
        element("open", 1772600767),
        element("open", 1772600768),
        element("click", 1772600767, url="https://example.org/a"),
        element("click", 1772600767, url="https://example.org/b"),
        element("send", 1772600767),
    )
    assert len({event.event_key for event in events}) == len(events)


def test_the_messages_own_id_stands_in_for_a_missing_outer_one() -> None:
    (event,) = read({"event": "send", "ts": 1772600767, "msg": {"_id": "m7", "email": "jane@example.org"}})
    assert event.message_id == "m7"


@pytest.mark.parametrize("body", [b"", b"mandrill_events=", b"mandrill_events=null", b"[]", b"mandrill_events=%ff"])
def test_a_form_without_events_is_set_aside(body: bytes) -> None:
    with pytest.raises(UnreadablePayload, match="Mandrill webhook"):
        parse_body(PROVIDER, body, FORM)


def test_the_test_of_a_new_webhook_has_no_events() -> None:
    assert read() == []
