"""SocketLabs: what all providers do, and what only it does."""

import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.socketlabs import EVENTS, FAILURE_CODES, PROVIDER
from worker.providers.verdict import Accepted, Answered, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.socketlabs import SocketLabsSamples, sample_values


class TestSocketLabs(ProviderConformance):
    provider_name = "socketlabs"
    make_sender = SocketLabsSamples
    event_field = "Type"
    told_at_least = ("Type", "Address")

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        body = json.loads(request.body)
        return msgspec.structs.replace(request, body=json.dumps(body | {"SecretKey": body["SecretKey"][::-1]}).encode())

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        body = json.loads(request.body)
        del body["SecretKey"]
        return msgspec.structs.replace(request, body=json.dumps(body).encode())


def one(values: Any) -> FeedbackEvent:
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    (event,) = parse_body(PROVIDER, body)
    return event


def failed(code: int, kind: str = "Permanent", status: str = "", words: str = "") -> FeedbackEvent:
    return one(
        {
            **sample_values(sample()),
            "FailureType": kind,
            "FailureCode": code,
            "BounceStatus": status,
            "DiagnosticCode": words,
            "Reason": "",
        }
    )


def judge(sender: SocketLabsSamples, body: bytes, **options: Any) -> Judgement:
    request = msgspec.structs.replace(sender.posted({}), body=body)
    source = msgspec.structs.replace(sender.source("main"), options=options)
    return PROVIDER.bind(source).authenticate(request, now=NOW, certificates={})


# https://help.socketlabs.com/docs/event-webhooks-events and the vendor's library, Utilities/FailureCodes.cs
DOCUMENTED_EVENTS = ("Queued", "Delivered", "Deferred", "Failed", "Complaint", "Validation")
DOCUMENTED_TRACKING = ("Click", "Open", "Unsubscribe")
DOCUMENTED_CODES = (
    *(1002, 1003, 1004, 1006, 1007, 1011, 1999, 2001, 2002, 2003, 2004, 2999, 3001, 3002, 3003, 3999),
    *(4001, 4002, 4003, 4004, 4006, 4999, 5001, 5999, 9999),
)


def test_every_documented_event_and_failure_code_is_mapped() -> None:
    assert {*DOCUMENTED_EVENTS, *(f"Tracking/{name}" for name in DOCUMENTED_TRACKING), "Sent"} == set(EVENTS)
    assert set(DOCUMENTED_CODES) == set(FAILURE_CODES)
    assert {f"Failed/{code}" for code in DOCUMENTED_CODES} <= set(PROVIDER.vocabulary)


@pytest.mark.parametrize("code", DOCUMENTED_CODES)
def test_a_code_without_words_is_what_the_table_says(code: int) -> None:
    event = failed(code)
    assert (event.kind, event.cause) == FAILURE_CODES[code]
    assert event.recognised


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (failed(2001, words="550 5.7.1 listed by zen.spamhaus.org"), (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        (failed(9999, words="550 no such user here"), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (failed(3999, "Temporary", "4.2.2"), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        (failed(1002, status="5.7.1"), (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        (failed(5001, status="5.1.1"), (Kind.OTHER, Cause.AUTO_REPLY)),
        (failed(2001, "Suppressed", "5.1.1"), (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)),
        (failed(4242), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_the_servers_words_are_believed_over_the_code(event: FeedbackEvent, expected: tuple[Kind, Cause]) -> None:
    assert (event.kind, event.cause) == expected


def test_a_code_that_is_new_is_noticed() -> None:
    assert not failed(4242).recognised


def test_enumerations_may_come_as_numbers() -> None:
    values = sample_values(sample(Kind.OPENED, Cause.NONE))
    kinds = [one({**values, "TrackingType": number}).kind for number in (0, 1, 2)]
    assert kinds == [Kind.CLICKED, Kind.OPENED, Kind.UNSUBSCRIBE]
    assert one({**sample_values(sample()), "FailureType": 2}).kind is Kind.DROPPED
    assert not one({**values, "TrackingType": 9}).recognised


def test_names_of_fields_are_found_in_any_case() -> None:
    values = {key.upper(): value for key, value in sample_values(sample()).items() if key != "Data"}
    assert one(values).kind is Kind.HARD_BOUNCE


def test_an_event_may_come_wrapped_or_in_an_array() -> None:
    values = sample_values(sample())
    assert one({"data": values}).event_key == one(values).event_key == one([values]).event_key


def test_the_secret_key_is_not_kept() -> None:
    sender = SocketLabsSamples()
    request = sender.posted(sample_values(sample()))
    wrapped = json.dumps({"data": json.loads(request.body)}).encode()
    for body in (request.body, wrapped):
        assert sender.secret.encode() not in one(body).raw


def test_the_secret_key_is_not_even_queued() -> None:
    sender = SocketLabsSamples()
    event = json.loads(sender.posted({"Type": "Failed"}).body)
    key = event["SecretKey"]
    for shown in (
        event,
        {"data": event},
        [event, event],
        {**event, "SECRETKEY": key},
        {"SecretKey": key, "data": event},
    ):
        verdict = judge(sender, json.dumps(shown).encode())
        assert isinstance(verdict, Accepted)
        assert verdict.body is not None
        assert key.encode() not in verdict.body
        for read in parse_body(PROVIDER, verdict.body):
            assert read.vendor_event == "malformed"


def test_a_failure_of_no_known_type_is_what_its_code_and_words_say() -> None:
    for kind in ("", "Whatever"):
        event = failed(2001, kind, words="no such user")
        assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)


def test_tags_and_variables_are_kept() -> None:
    event = one(sample_values(sample(tags=("spring",), metadata={"order": "77"})))
    assert (event.tags, event.metadata) == (("spring",), {"order": "77"})


def test_inbound_mail_concerns_no_contact() -> None:
    event = one({"Subject": "Hello", "From": "a@example.org"})
    assert (event.kind, event.address, event.vendor_event) == (Kind.OTHER, None, "inbound")


def test_an_event_about_nobody_is_set_aside() -> None:
    assert one({"Type": "Failed"}).vendor_event == "malformed"
    with pytest.raises(UnreadablePayload):
        one(b"Type=Failed&Address=jane%40example.org")


@pytest.mark.parametrize(
    ("subaccount", "account"),
    [({"SubaccountId": 7, "ServerId": 9}, "7"), ({"SubaccountId": 0, "ServerId": 9}, "9"), ({"ServerID": 9}, "9")],
)
def test_the_account_is_the_subaccount_or_else_the_server(subaccount: dict[str, int], account: str) -> None:
    event = one({**sample_values(sample()), **subaccount})
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == account


class TestAuthentication:
    def test_a_validation_is_answered_with_the_key_and_not_queued(self) -> None:
        sender = SocketLabsSamples()
        verdict = judge(sender, sender.posted({"Type": "Validation"}).body)
        assert isinstance(verdict, Answered)
        assert (verdict.http_status, verdict.body) == (200, sender.secret.encode())

    def test_a_validation_with_a_key_of_its_own_is_answered_with_that(self) -> None:
        sender = SocketLabsSamples()
        verdict = judge(sender, sender.posted({"Type": "Validation", "ValidationKey": "v1"}).body)
        assert isinstance(verdict, Answered)
        assert verdict.body == b"v1"

    def test_a_validation_with_another_key_learns_nothing(self) -> None:
        sender = SocketLabsSamples()
        verdict = judge(sender, SocketLabsSamples().posted({"Type": "Validation"}).body)
        assert isinstance(verdict, Refused)
        assert sender.secret not in repr(verdict)

    def test_one_wrong_key_in_an_array_refuses_it_all(self) -> None:
        sender = SocketLabsSamples()
        own, other = (json.loads(each.posted({"Type": "Queued"}).body) for each in (sender, SocketLabsSamples()))
        assert isinstance(judge(sender, json.dumps([own, own]).encode()), Accepted)
        assert isinstance(judge(sender, json.dumps([own, other]).encode()), Refused)
        assert isinstance(judge(sender, b"[]"), Refused)

    def test_a_wrapped_key_is_found(self) -> None:
        sender = SocketLabsSamples()
        own = json.loads(sender.posted({"Type": "Queued"}).body)
        assert isinstance(judge(sender, json.dumps({"data": own}).encode()), Accepted)

    @pytest.mark.parametrize("body", [b"", b"[1]", b"SecretKey=x", b"[" * 100_000])
    def test_a_body_that_is_no_json_is_refused(self, body: bytes) -> None:
        verdict = judge(SocketLabsSamples(), body)
        assert isinstance(verdict, Refused)

    def test_servers_are_compared_where_some_are_named(self) -> None:
        sender = SocketLabsSamples()
        body = sender.posted({"Type": "Queued"}).body
        assert isinstance(judge(sender, body, server_ids=[12345, 2]), Accepted)
        assert isinstance(judge(sender, body, server_ids=[2]), Refused)

    def test_a_sample_for_a_source_is_of_a_server_that_it_takes(self) -> None:
        source = msgspec.structs.replace(SocketLabsSamples().source("main"), options={"server_ids": [77]})
        request = SocketLabsSamples().speaking_as(source).requests([sample()], now=NOW)[0]
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Accepted)

    @pytest.mark.parametrize("servers", ["12345", [], ["12345"], 12345])
    def test_servers_that_are_no_list_of_numbers_are_reported(self, servers: object) -> None:
        source = msgspec.structs.replace(SocketLabsSamples().source("main"), options={"server_ids": servers})
        assert any("server_ids" in problem for problem in PROVIDER.check_source(source))
