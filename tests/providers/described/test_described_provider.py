"""A vendor that is described in TOML is read like one that is built in."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import wrap
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.described.described_provider import PROVIDER
from worker.providers.described.description import compile_description
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.described import DESCRIPTION, DescribedSamples
from worker.samples.posting import post
from worker.samples.sample import SampleSender
from worker.samples.signing import sign


class TestDescribedConformance(ProviderConformance):
    provider_name = "described"
    max_age = timedelta(hours=1)

    def new_sender(self) -> SampleSender:
        return DescribedSamples()

    def documents(self, request: WebhookRequest) -> list[Any]:
        return list(json.loads(request.body)["letters"])

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return json.dumps({"letters": [document]}).encode()

    def unknown(self, document: Any) -> Any:
        return document | {"type": self.unknown_event}

    def stripped(self, document: Any) -> Any:
        return {"type": document["type"], "to": document["to"]}

    def test_the_vendors_words_are_listed_with_what_they_become(self) -> None:
        assert PROVIDER.vocabulary == {}, "they stand in each source's description"


MINIMAL = """
name = "small"
[authentication]
scheme = "bearer"
[fields]
event = "what"
address = "who"
[events]
gone = "hard_bounce"
back = "bounce"
"""


def described(description: str, body: bytes) -> list[FeedbackEvent]:
    source = Source(name="first", provider="described", options={"description": description})
    return PROVIDER.bind(source).parse(wrap(PROVIDER, post("described", body, {})))


def test_events_are_labelled_with_the_descriptions_own_name() -> None:
    (event,) = described(MINIMAL, b'{"what": "gone", "who": "jane@example.org"}')
    assert (event.provider, event.source) == ("small", "first")
    assert (event.kind, event.cause, event.address) == (Kind.HARD_BOUNCE, Cause.UNDETERMINED, "jane@example.org")


def test_a_vendor_of_text_messages_reports_about_numbers() -> None:
    (event,) = described('channel = "sms"\n' + MINIMAL, b'{"what": "gone", "who": "+49 170 1234567"}')
    assert (event.channel, event.address) == (Channel.SMS, "+491701234567")


def test_an_event_about_several_people_is_one_for_each() -> None:
    events = described(MINIMAL, b'{"what": "gone", "who": ["jane@example.org", 3, "john@example.org"]}')
    assert [event.address for event in events] == ["jane@example.org", "john@example.org"]
    assert len({event.event_key for event in events}) == 2


def test_a_bounce_without_codes_or_words_is_soft_and_undetermined() -> None:
    (event,) = described(MINIMAL, b'[{"what": "back", "who": "jane@example.org"}]')
    assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)


def test_codes_and_words_decide_what_a_bounce_was() -> None:
    description = MINIMAL.replace('address = "who"', 'address = "who"\nenhanced_status = "code"\ndiagnostic = "why"')
    gone, full = described(
        description,
        json.dumps(
            [
                {"what": "back", "who": "jane@example.org", "code": "5.1.1"},
                {"what": "back", "who": "jane@example.org", "why": "552 5.2.2 mailbox full"},
            ]
        ).encode(),
    )
    assert (gone.kind, gone.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)
    assert (full.kind, full.cause) == (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)


@pytest.mark.parametrize("stamp", [1772618400, "1772618400", "2026-03-04T10:00:00Z", "Wed, 04 Mar 2026 10:00:00 +0000"])
def test_times_are_read_as_seconds_iso_or_mail_dates(stamp: object) -> None:
    description = MINIMAL.replace('address = "who"', 'address = "who"\noccurred_at = "when"')
    (event,) = described(description, json.dumps({"what": "gone", "who": "a@example.org", "when": stamp}).encode())
    assert event.occurred_at.isoformat() == "2026-03-04T10:00:00+00:00"
    assert not event.arrival_dated


def test_json_lines_and_forms_are_read_when_described() -> None:
    lines = MINIMAL + '[payload]\nformat = "json_lines"\n'
    body = b'{"what": "gone", "who": "a@example.org"}\n\n{"what": "gone", "who": "b@example.org"}\n'
    assert [event.address for event in described(lines, body)] == ["a@example.org", "b@example.org"]
    form = MINIMAL + '[payload]\nformat = "form"\n'
    assert [event.address for event in described(form, b"what=gone&who=a%40example.org")] == ["a@example.org"]
    within = MINIMAL + '[payload]\nformat = "form"\nform_field = "events"\n'
    inner = b"events=%5B%7B%22what%22%3A%22gone%22%2C%22who%22%3A%22a%40example.org%22%7D%5D"
    assert [event.address for event in described(within, inner)] == ["a@example.org"]


def test_an_element_that_names_nobody_is_malformed_and_spoils_no_other() -> None:
    broken, well = described(MINIMAL, b'[{"what": "gone"}, {"what": "gone", "who": "a@example.org"}]')
    assert (broken.vendor_event, broken.address, broken.recognised) == ("malformed", None, False)
    assert well.kind is Kind.HARD_BOUNCE


def test_the_vendors_own_samples_change_nothing() -> None:
    (event,) = DescribedSamples().requests([sample(Kind.HARD_BOUNCE, Cause.TEST)], now=NOW)
    parsed = described(DESCRIPTION, event.body)
    assert [(event.kind, event.cause) for event in parsed] == [(Kind.OTHER, Cause.TEST)]
    assert parsed[0].occurred_at == EARLIER


@pytest.mark.parametrize(
    ("authentication", "secret"),
    [
        ('scheme = "basic"', "user:password"),
        ('scheme = "bearer"', "a-token"),
        ('scheme = "header"\nheader = "X-Key"', "a-key"),
        ('scheme = "query"\nparameter = "key"', "a-key"),
        ('scheme = "standard_webhooks"', "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="),
        ('scheme = "hmac"\nheader = "X-Sum"\ndigest = "sha512"\nencoding = "base64"', "a-key"),
    ],
)
def test_each_scheme_lets_in_who_has_the_secret_and_nobody_else(authentication: str, secret: str) -> None:
    description = MINIMAL.replace('scheme = "bearer"', authentication)
    source = Source(name="first", provider="described", secrets=(Secret(secret),), options={"description": description})
    assert PROVIDER.check_source(source) == []
    request = post("described", b"{}", {})
    scheme = compile_description(description).description.authentication
    signed = sign(request, scheme, secret, now=NOW)
    assert isinstance(PROVIDER.bind(source).authenticate(signed, now=NOW, certificates={}), Accepted)
    assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Refused)
    wrong = msgspec.structs.replace(source, secrets=(Secret(secret.swapcase() + "x:y"),))
    assert isinstance(PROVIDER.bind(wrong).authenticate(signed, now=NOW, certificates={}), Refused)


@pytest.mark.parametrize(
    ("description", "told"),
    [
        ("name = ", "it is no TOML"),
        ("name = 'x'", "missing required field"),
        (MINIMAL.replace('"hard_bounce"', '"bounced_hard"'), "bounced_hard"),
        (MINIMAL.replace('event = "what"', 'event = "what["'), "fields.event"),
        (MINIMAL.replace('scheme = "bearer"', 'scheme = "magic"'), "magic"),
        (MINIMAL + "[feilds]\n", "feilds"),
        (MINIMAL.replace('"small"', '"a b"'), "use letters"),
        (MINIMAL.partition("[events]")[0] + "[events]\n", "empty"),
    ],
)
def test_a_description_that_cannot_be_used_says_where_and_why(description: str, told: str) -> None:
    source = Source(name="first", provider="described", secrets=(Secret("s"),), options={"description": description})
    (problem,) = PROVIDER.check_source(source)
    assert problem.startswith("description: ")
    assert told in problem


def test_a_source_without_a_description_is_reported_and_its_webhooks_are_set_aside() -> None:
    source = Source(name="first", provider="described", secrets=(Secret("s"),))
    assert any("no description" in problem for problem in PROVIDER.check_source(source))
    envelope = wrap(PROVIDER, post("described", b"{}", {}))
    with pytest.raises(UnreadablePayload, match="configure it for the processors too"):
        PROVIDER.bind(source).parse(envelope)


@pytest.mark.parametrize(
    ("lines", "remedy"),
    [
        ('signed = "{time}.{body}"', "{time} is not known"),
        ('signed = "{timestamp}"\ntimestamp_header = "x-time"', "leaves out {body}"),
        ('signed = "{timestamp}.{body}"', "timestamp_header"),
        ('timestamp_header = "x-time"', "not signed"),
        ('signed = "{id}.{body}"', "id_header"),
        ('signed = "{id}{body}"\nid_header = "x-id"', "nothing marks where {id} ends"),
        ('signed = "{id}{timestamp}.{body}"\nid_header = "x-id"\ntimestamp_header = "x-time"', "nothing marks where"),
        ('signed = "{body}{id}"\nid_header = "x-id"', "nothing marks where {id} ends"),
        ('signed = "{body}.{body}"', "more than once"),
    ],
)
def test_a_signature_that_would_not_cover_what_it_seems_to_is_reported(lines: str, remedy: str) -> None:
    hmac = MINIMAL.replace('scheme = "bearer"', f'scheme = "hmac"\nheader = "x-signature"\n{lines}')
    source = Source(name="first", provider="described", secrets=(Secret("key"),), options={"description": hmac})
    assert any(remedy in problem for problem in PROVIDER.check_source(source))


def test_a_misspelt_scheme_is_answered_with_those_there_are() -> None:
    unknown = MINIMAL.replace('scheme = "bearer"', 'scheme = "hmacc"')
    source = Source(name="first", provider="described", secrets=(Secret("key"),), options={"description": unknown})
    [problem] = PROVIDER.check_source(source)
    assert "use one of basic, bearer, header, hmac, public_key, query, standard_webhooks" in problem


def test_one_bad_line_spoils_no_other() -> None:
    lines = MINIMAL + '[payload]\nformat = "json_lines"\n'
    well = b'{"what": "gone", "who": "a@example.org"}'
    events = described(lines, b"\n".join([well, b"{", b"[" * 100_000, well]))
    assert [event.vendor_event for event in events] == ["gone", "malformed", "malformed", "gone"]
    assert events[1].raw == b"{"
    with pytest.raises(UnreadablePayload):
        described(lines, b"<html>\n" + well)


def test_an_expression_that_a_hostile_event_breaks_says_nothing() -> None:
    deep: object = "x"
    for _ in range(400):
        deep = [deep]
    values = {"what": "gone", "who": "a@example.org", "deep": deep, "huge": "1" * 5_000, "far": "9e300"}
    for expression in ("deep == deep", "to_string(deep)", "ceil(to_number(huge))", "to_number(far)", "length(what[0])"):
        for field in ("test", "machine", "id", "occurred_at", "diagnostic", "smtp_code", "tags"):
            description = MINIMAL.replace('address = "who"', f'address = "who"\n{field} = "{expression}"')
            (event,) = described(description, json.dumps(values).encode())
            assert event.address == "a@example.org"


def test_a_long_list_of_people_is_malformed_and_not_as_many_copies() -> None:
    (event,) = described(MINIMAL, json.dumps({"what": "gone", "who": ["a@example.org"] * 1_001}).encode())
    assert event.vendor_event == "malformed"


def test_a_test_mark_is_read_in_each_form() -> None:
    description = MINIMAL.replace('address = "who"', 'address = "who"\ntest = "mark"')
    for mark, is_test in ((True, True), ("yes", True), (["x"], True), (False, False), ("False", False), ("", False)):
        body = json.dumps({"what": "gone", "who": "a@example.org", "mark": mark}).encode()
        assert (described(description, body)[0].cause is Cause.TEST) is is_test


def test_a_flood_of_elements_is_set_aside_and_takes_no_memory() -> None:
    lines = MINIMAL + '[payload]\nformat = "json_lines"\n'
    for description, flood in ((MINIMAL, b"[" + b"0," * 100_000 + b"0]"), (lines, b"{}\n" * 100_001)):
        with pytest.raises(UnreadablePayload, match="no vendor sends over 100000"):
            described(description, flood)
