"""What scripts report in our own JSON."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.reported_event import EVENT_NAMES, EXAMPLES, json_schema
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_envelope
from tests.providers.sample_events import NOW
from worker.errors import UnreadablePayload
from worker.providers.account_rule import check_account_rule, with_own_account
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.feedback import is_malformed
from worker.providers.vendors.bouncekeeper.bouncekeeper import PROVIDER
from worker.providers.verdict import Accepted, Answered, Judgement, Refused
from worker.samples.bouncekeeper import BouncekeeperSamples
from worker.samples.posting import post

GONE: dict[str, Any] = {"event": "hard_bounce", "address": "jane@example.org", "occurred_at": "2026-03-04T11:00:00Z"}


def read(body: bytes, *, account_from: str = "") -> list[FeedbackEvent]:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="scripts",
        provider="bouncekeeper",
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=body,
        account_from=account_from,
    )
    return parse_envelope(PROVIDER, envelope)


def one(**values: Any) -> FeedbackEvent:
    (event,) = read(json.dumps({"address": "jane@example.org", **values}).encode())
    return event


def judge(body: str, source: Source | None = None) -> Judgement:
    sender = BouncekeeperSamples()
    request = sender.signed_text(body.encode(), now=NOW)
    return PROVIDER.bind(source or sender.source("x")).authenticate(request, now=NOW, certificates={})


class TestBouncekeeper(ProviderConformance):
    provider_name = "bouncekeeper"
    make_sender = BouncekeeperSamples
    event_field = "event"
    told_at_least = ("event", "address")
    max_age = timedelta(seconds=300)


class TestShapes:
    @pytest.mark.parametrize(
        "body",
        [
            json.dumps(GONE),
            json.dumps(GONE, indent=2),
            json.dumps([GONE]),
            json.dumps({"events": [GONE]}),
        ],
    )
    def test_an_object_alone_in_an_array_and_under_events_is_the_same_event(self, body: str) -> None:
        (event,) = read(body.encode())
        assert (event.kind, event.address, event.occurred_at) == (
            Kind.HARD_BOUNCE,
            "jane@example.org",
            datetime(2026, 3, 4, 11, tzinfo=UTC),
        )
        assert event.event_key == read(json.dumps(GONE).encode())[0].event_key

    def test_lines_are_events(self) -> None:
        lines = b"\n".join(json.dumps(GONE | {"address": f"p{number}@example.org"}).encode() for number in range(3))
        assert [event.address for event in read(lines + b"\n")] == [f"p{number}@example.org" for number in range(3)]

    def test_an_empty_list_holds_no_events(self) -> None:
        assert read(b"[]") == read(b'{"events": []}') == []

    def test_kind_and_recipient_are_other_names_of_event_and_address(self) -> None:
        (event,) = read(b'{"kind": "complaint", "recipient": "Jane <jane@example.org>"}')
        assert (event.kind, event.cause, event.address) == (Kind.COMPLAINT, Cause.ABUSE_REPORT, "jane@example.org")

    def test_all_that_may_be_told_is_kept(self) -> None:
        event = one(
            event="unsubscribe",
            id=7,
            message_id="m1",
            scope="news",
            tags="spring",
            metadata={"customer": 12},
            machine=True,
            diagnostic="by mail",
        )
        assert (event.message_id, event.scope, event.tags, event.metadata, event.machine, event.diagnostic) == (
            "m1",
            "news",
            ("spring",),
            {"customer": 12},
            True,
            "by mail",
        )

    def test_a_number_on_the_channel_sms(self) -> None:
        event = one(event="hard_bounce", channel="sms", address="+49 170 1234567")
        assert (event.channel, event.address) == (Channel.SMS, "+491701234567")
        assert one(event="hard_bounce").channel is Channel.EMAIL


@pytest.mark.parametrize("body", EXAMPLES)
def test_the_examples_of_the_schema_keep_it_and_are_read(body: Any) -> None:
    OAS31Validator(json_schema()).validate(body)
    events = read(json.dumps(body).encode())
    assert events
    assert all(event.recognised and event.address for event in events)


# Every other name that says nothing of a cause has none.
CAUSES_OF_NAMES = {
    **dict.fromkeys(("bounce", "soft_bounce", "hard_bounce", "deferred", "dropped"), Cause.UNDETERMINED),
    "blocked": Cause.POLICY,
    "complaint": Cause.ABUSE_REPORT,
}
# docs/classification.md: who is at fault decides, and which address cannot get better.
BOUNCES = {
    Kind.HARD_BOUNCE: (
        "mailbox_does_not_exist invalid_address mailbox_owner_changed mailbox_disabled domain_does_not_exist "
        "domain_accepts_no_mail"
    ),
    Kind.SOFT_BOUNCE: (
        "mailbox_full recipient_restricted server_unavailable connection_failed dns_failure greylisted expired "
        "undetermined abuse_report fraud_report"
    ),
    Kind.BLOCKED: (
        "sender_reputation sender_authentication sender_configuration content virus message_too_large rate_limited "
        "policy"
    ),
}
KINDS_BY_CAUSE = [(cause, kind) for kind, causes in BOUNCES.items() for cause in causes.split()]


class TestConclusions:
    @pytest.mark.parametrize("name", EVENT_NAMES)
    def test_a_name_is_that_of_its_kind_and_a_bounce_without_any_reason_is_soft(self, name: str) -> None:
        event = one(event=name)
        assert event.kind.value == ("soft_bounce" if name == "bounce" else name)
        assert event.cause is CAUSES_OF_NAMES.get(name, Cause.NONE)
        assert event.recognised

    @pytest.mark.parametrize(("cause", "kind"), KINDS_BY_CAUSE)
    def test_the_cause_decides_which_bounce_it_was(self, cause: str, kind: Kind) -> None:
        event = one(event="bounce", cause=cause)
        assert (event.kind, event.cause.value) == (kind, cause)

    def test_the_documented_list_has_every_name_and_every_cause_of_a_bounce(self) -> None:
        assert set(PROVIDER.vocabulary) == {*EVENT_NAMES, *(f"bounce/{cause}" for cause, _ in KINDS_BY_CAUSE)}

    @pytest.mark.parametrize(
        ("told", "kind", "cause"),
        [
            ({"smtp_code": 550, "enhanced_status": "5.1.1"}, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ({"diagnostic": "552 5.2.2 mailbox full"}, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            ({"diagnostic": "554 5.7.1 blocked using blocklist"}, Kind.BLOCKED, Cause.SENDER_REPUTATION),
            ({}, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        ],
    )
    def test_a_bounce_is_what_codes_and_words_say(self, told: dict[str, Any], kind: Kind, cause: Cause) -> None:
        event = one(event="bounce", **told)
        assert (event.kind, event.cause) == (kind, cause)

    @pytest.mark.parametrize("name", ["bounce", "soft_bounce", "hard_bounce", "blocked", "deferred"])
    def test_what_is_not_final_is_deferred(self, name: str) -> None:
        event = one(event=name, final=False, diagnostic="550 5.1.1 no such user")
        assert (event.kind, event.cause) == (Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST)

    def test_a_deferral_that_is_final_is_a_bounce(self) -> None:
        event = one(event="deferred", final=True, diagnostic="452 4.2.2 mailbox full")
        assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)

    @pytest.mark.parametrize(
        ("told", "kind"),
        [
            ({"smtp_code": 250}, Kind.DELIVERED),
            ({"smtp_code": 451}, Kind.DEFERRED),
            ({"smtp_code": 451, "final": True}, Kind.SOFT_BOUNCE),
            ({"smtp_code": 550, "diagnostic": "no such user"}, Kind.HARD_BOUNCE),
            ({"smtp_code": 550, "final": False}, Kind.DEFERRED),
        ],
    )
    def test_without_a_name_the_reply_code_says_what_happened(self, told: dict[str, Any], kind: Kind) -> None:
        assert one(**told).kind is kind

    def test_the_scripts_own_word_stands_and_the_cause_is_found(self) -> None:
        soft = one(event="soft_bounce", diagnostic="550 5.1.1 no such user")
        hard = one(event="hard_bounce", diagnostic="550 5.1.1 no such user")
        assert (soft.kind, soft.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
        assert (hard.kind, hard.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)

    def test_the_senders_fault_is_blocked_whatever_the_script_calls_it(self) -> None:
        assert one(event="hard_bounce", cause="content").kind is Kind.BLOCKED

    def test_the_time_may_be_seconds_and_is_the_arrival_when_it_lies_ahead(self) -> None:
        assert one(event="opened", occurred_at=1772622000).occurred_at == datetime(2026, 3, 4, 11, tzinfo=UTC)
        assert one(event="opened", occurred_at="2030-01-01T00:00:00Z").arrival_dated


class TestMistakes:
    @pytest.mark.parametrize(
        ("mistake", "words"),
        [
            ({"adress": "x@example.org"}, "unknown field `adress`"),
            ({"address": 3}, r"`\$\.address`"),
            ({"address": None}, "names nobody"),
            ({"address": "jane at example.org"}, "names nobody: its address is no e-mail address"),
            ({"address": "+491701234567"}, "names nobody: .* needs channel sms"),
            ({"address": "0170 1234567", "channel": "sms"}, "names nobody: its address is no telephone number"),
            ({"address": "jane@example.org", "channel": "sms"}, "names nobody: its address is no telephone number"),
            ({"recipient": "x@example.org"}, "two names"),
            ({"kind": "opened"}, "two names"),
            ({"event": None}, "does not say what happened"),
            ({"cause": "mailbox_ful"}, r"mailbox_ful"),
            ({"smtp_code": 42}, r"`\$\.smtp_code`"),
            ({"enhanced_status": "5.1"}, r"`\$\.enhanced_status`"),
            ({"occurred_at": "yesterday"}, "RFC 3339"),
            ({"final": "no"}, r"`\$\.final`"),
            ({"channel": "fax"}, "fax"),
            ({"raw_mail": "…"}, "raw_mail"),
        ],
    )
    def test_one_is_kept_as_malformed_with_its_reason_and_the_others_are_taken(
        self, mistake: dict[str, Any], words: str
    ) -> None:
        wrong = json.dumps({**GONE, **mistake}).encode()
        first, second = read(b"[" + wrong + b"," + json.dumps(GONE).encode() + b"]")
        assert (first.vendor_event, first.recognised, first.address, first.raw) == ("malformed", False, None, wrong)
        assert second.kind is Kind.HARD_BOUNCE
        assert first.diagnostic is not None
        with pytest.raises(UnreadablePayload, match=words):
            read(wrong)
        with pytest.raises(UnreadablePayload, match="none of its events"):
            read(b"[" + wrong + b"]")

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (json.dumps(GONE | {"adress": "x@example.org"}), "unknown field `adress`"),
            (json.dumps([GONE | {"smtp_code": 42}, 3]), "`$.smtp_code`"),
            ('{"event": "bounce"}\n{"event": "bounce"}', "names nobody"),
            ('{"event": "bounce", "address": "jane at example.org"}', "no e-mail address"),
            ('{"event": "bounce", "address":', "not the JSON"),
            ("", "not the JSON"),
        ],
    )
    def test_a_script_is_told_at_once_when_no_event_can_be_read(self, body: str, words: str) -> None:
        answer = judge(body)
        assert isinstance(answer, Answered)
        assert (answer.http_status, answer.content_type) == (400, "application/json")
        told = json.loads(answer.body)
        assert told["error"] == answer.reason == "unreadable_events"
        assert told["remedy"] == answer.detail
        assert words in told["remedy"]

    @pytest.mark.parametrize("body", [[], [3, GONE], GONE, {"event": "unheard of", "address": "x@example.org"}])
    def test_what_can_be_read_in_part_is_taken(self, body: Any) -> None:
        assert isinstance(judge(json.dumps(body)), Accepted)

    def test_who_cannot_prove_himself_is_told_nothing_of_the_body(self) -> None:
        source = BouncekeeperSamples(seed=b"another").source("x")
        assert isinstance(judge("nonsense", source), Refused)


class TestKeys:
    def test_an_id_tells_events_of_one_person_apart_and_survives_a_change_of_the_rest(self) -> None:
        first, again, second = (
            one(event="bounce", **told)
            for told in ({"id": "1", "diagnostic": "a"}, {"id": 1, "diagnostic": "b"}, {"id": "2"})
        )
        assert first.event_key == again.event_key != second.event_key

    @pytest.mark.parametrize("name", ["  ", "x" * 201, "ne\nws", "ne\x07ws"])
    def test_a_list_that_has_no_name_is_a_mistake_of_the_script(self, name: str) -> None:
        told = {"event": "unsubscribe", "address": "jane@example.org"}
        body = json.dumps([told | {"scope": name}, told | {"scope": " News "}]).encode()
        broken, event = read(body)
        assert is_malformed(broken)
        assert (broken.diagnostic or "").startswith("scope ")
        assert event.scope == "News"

    @pytest.mark.parametrize("changed", [{"message_id": "m2"}, {"address": "x@example.org"}, {"scope": "b"}, {"id": 1}])
    def test_without_an_id_the_fields_tell_them_apart(self, changed: dict[str, Any]) -> None:
        told = {"event": "unsubscribe", "message_id": "m1", "scope": "a"}
        assert one(**told).event_key == one(**dict(reversed(told.items())), diagnostic="x").event_key
        assert one(**told).event_key != one(**(told | changed)).event_key

    def test_a_code_without_a_name_is_the_same_event_whatever_a_version_takes_the_code_for(self) -> None:
        event = one(smtp_code=550, message_id="m1", occurred_at=1772622000)
        said = (None, "jane@example.org", "m1", "1772622000", None, "550")
        assert event.event_key == make_event_key(["default", *said])
        assert event.former_key == make_event_key(["default", "bounce", *said[1:]])

    def test_without_anything_the_bytes_tell_them_apart(self) -> None:
        assert one(event="opened").event_key == one(event="opened").event_key
        assert one(event="opened").event_key != one(event="opened", tags=["a"]).event_key


class TestSchemes:
    def test_basic_bearer_and_standard_webhooks_are_there_too(self) -> None:
        body = json.dumps(GONE).encode()
        key = base64.b64encode(b"k" * 24).decode()
        stamp = str(int(NOW.timestamp()))
        signature = base64.b64encode(hmac.new(b"k" * 24, f"1.{stamp}.".encode() + body, sha256).digest()).decode()
        signed = {"webhook-id": "1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
        for scheme, secret, good, bad in (
            ("bearer", "s3cret", {"authorization": "Bearer s3cret"}, {"authorization": "Bearer guess"}),
            (
                "basic",
                "me:s3cret",
                {"authorization": "Basic " + base64.b64encode(b"me:s3cret").decode()},
                {"authorization": "Basic " + base64.b64encode(b"me:guess").decode()},
            ),
            ("standard_webhooks", f"whsec_{key}", signed, {**signed, "webhook-id": "2"}),
        ):
            source = Source(name="x", provider="bouncekeeper", authentication=scheme, secrets=(Secret(secret),))
            assert PROVIDER.check_source(source) == []
            for headers, expected in ((good, Accepted), (bad, Refused), ({}, Refused)):
                verdict = PROVIDER.bind(source).authenticate(
                    post("bouncekeeper", body, headers), now=NOW, certificates={}
                )
                assert isinstance(verdict, expected)

    def test_a_signature_of_another_time_does_not_fit(self) -> None:
        sender = BouncekeeperSamples()
        request = sender.signed(GONE, now=NOW)
        moved = msgspec.structs.replace(
            request, headers={**request.headers, "bouncekeeper-timestamp": str(int(NOW.timestamp()) + 1)}
        )
        verdict = PROVIDER.bind(sender.source("x")).authenticate(moved, now=NOW, certificates={})
        assert isinstance(verdict, Refused)
        assert verdict.reason == "bad_signature"


def test_an_event_may_name_its_account_where_the_source_says_so() -> None:
    assert check_account_rule("account", PROVIDER.account_paths) == []
    body = json.dumps({"address": "jane@example.org", "event": "opened", "account": "customer-7"}).encode()
    (event,) = read(body, account_from="account")
    assert event.account == "default"
    assert with_own_account(event, "account", PROVIDER.account_paths).account == "customer-7"


@pytest.mark.parametrize("account", ["customer-7", "Default", 7, "", "x" * 300])
def test_an_event_of_another_account_is_a_mistake_where_the_source_does_not_say_so(account: str | int) -> None:
    """The holder of a source's secret writes into its account alone, and hears of it."""
    other = {**GONE, "account": account}
    with pytest.raises(UnreadablePayload, match="is not 'default', under which this source keeps the event"):
        read(json.dumps(other).encode())
    refused, taken = read(json.dumps([other, GONE]).encode())
    assert (refused.vendor_event, refused.address, taken.kind) == ("malformed", None, Kind.HARD_BOUNCE)
    verdict = judge(json.dumps(other))
    assert isinstance(verdict, Answered)
    assert verdict.http_status == 400
    assert 'account_from = \\"account\\"' in verdict.body.decode()


def test_an_event_may_name_the_account_that_it_is_kept_under_anyway() -> None:
    assert read(json.dumps({**GONE, "account": "default"}).encode())[0].kind is Kind.HARD_BOUNCE
    told = {**GONE, "account": "customer-7", "metadata": {"customer": "customer-7"}}
    assert read(json.dumps(told).encode(), account_from="metadata.customer")[0].kind is Kind.HARD_BOUNCE
    with pytest.raises(UnreadablePayload, match="is not 'customer-8', under which"):
        read(json.dumps({**told, "metadata": {"customer": "customer-8"}}).encode(), account_from="metadata.customer")
    sender = BouncekeeperSamples()
    request = sender.signed({**GONE, "account": "customer-7"}, now=NOW)
    for source, verdict in (
        (msgspec.structs.replace(sender.source("x"), account_from="account"), Accepted),
        (msgspec.structs.replace(sender.source("x"), account="customer-7"), Accepted),
        (sender.source("x"), Answered),
    ):
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), verdict)
