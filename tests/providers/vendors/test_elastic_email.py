"""Elastic Email: what all providers do, and what only it does."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, NOW, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.payload.form_payload import decode_form
from worker.providers.vendors.elastic_email import CATEGORIES, OTHER_NAMES, PROVIDER, STATUSES
from worker.providers.verdict import Accepted, Answered, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.elastic_email import ElasticEmailSamples, sample_values

# https://help.elasticemail.com/en/articles/4804685-notification-settings; the last two categories stand only in the
# lists of its API and of its reports.
VENDOR_STATUSES = {"Sent", "Opened", "Clicked", "Error", "AbuseReport", "Unsubscribed"}
VENDOR_CATEGORIES = {
    "Ignore",
    "Spam",
    "BlackListed",
    "NoMailbox",
    "GreyListed",
    "Throttled",
    "Timeout",
    "ConnectionProblem",
    "SPFProblem",
    "AccountProblem",
    "DNSProblem",
    "WhitelistingProblem",
    "CodeError",
    "ManualCancel",
    "ConnectionTerminated",
    "ContentFilter",
    "NotDelivered",
    "Unknown",
    "NotDeliveredCancelled",
    "Suppressed",
}
# https://help.elasticemail.com/en/articles/2300650-what-are-the-bounce-error-categories-and-filters
MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "NoMailbox",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "AccountProblem",  # full, or no longer used
        (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED): "WhitelistingProblem",
        (Kind.SOFT_BOUNCE, Cause.GREYLISTED): "GreyListed",
        (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE): "DNSProblem",
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "Timeout ConnectionProblem ConnectionTerminated",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "CodeError Unknown",
        (Kind.BLOCKED, Cause.RATE_LIMITED): "Throttled",
        (Kind.BLOCKED, Cause.CONTENT): "Spam ContentFilter",  # a filter's refusal, not a complaint
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "BlackListed",
        (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION): "SPFProblem",
        (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER): "NotDelivered Suppressed Ignore",
        (Kind.DROPPED, Cause.SENDER_CONFIGURATION): "ManualCancel NotDeliveredCancelled",  # by ourselves
    }
)
# What other programs expect, though no page of Elastic Email's says so.
SAME_STATUSES = {"Bounce": "Error", "Bounced": "Error", "Complaint": "AbuseReport"}
_NOT_TOLD = {Kind.ACCEPTED, Kind.DEFERRED, Kind.OTHER}


class TestElasticEmail(ProviderConformance):
    provider_name = "elastic_email"
    make_sender = ElasticEmailSamples
    event_field = "status"
    told_at_least = ("status", "to")
    signs_body = False
    tells_reply = False
    kinds = all_kinds_but(*_NOT_TOLD)

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [decode_form(request.body, "form")]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return urlencode(document).encode()


def read(request: WebhookRequest) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, request)


def one(**values: Any) -> FeedbackEvent:
    (event,) = read(ElasticEmailSamples().posted({"to": "jane@example.org", "status": "Error", **values}))
    return event


def test_every_documented_status_and_category_has_a_meaning() -> None:
    assert set(STATUSES) == VENDOR_STATUSES
    assert set(CATEGORIES) == VENDOR_CATEGORIES
    assert set(OTHER_NAMES) == set(SAME_STATUSES)


@pytest.mark.parametrize("category", sorted(VENDOR_CATEGORIES))
def test_an_error_is_what_its_category_says(category: str) -> None:
    event = one(category=category)
    assert (event.kind, event.cause) == MEANINGS[category]
    assert (event.vendor_event, event.recognised) == (f"Error/{category}", True)


def test_the_category_counts_for_errors_alone() -> None:
    event = one(status="AbuseReport", category="NoMailbox")
    assert (event.kind, event.cause) == (Kind.COMPLAINT, Cause.ABUSE_REPORT)
    assert one(category="Spam").kind is Kind.BLOCKED


def test_an_error_without_category_or_with_a_new_one_says_little() -> None:
    for event, recognised in ((one(), True), (one(category="Teleported"), False)):
        assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
        assert event.recognised is recognised


@pytest.mark.parametrize("name", SAME_STATUSES)
def test_a_status_by_another_name_means_the_same(name: str) -> None:
    said = {"messageid": "m1", "date": "2026-03-04T11:00:00", "category": "NoMailbox"}
    event, documented = one(status=name, **said), one(status=SAME_STATUSES[name], **said)
    assert (event.kind, event.cause, event.recognised) == (documented.kind, documented.cause, True)


def test_json_says_the_same_as_a_form_whatever_the_case_of_its_names() -> None:
    values = sample_values(sample(Kind.CLICKED, Cause.NONE, tags=("spring",)))
    (as_form,) = read(ElasticEmailSamples().posted(values))
    for shape in (values, {name.title(): value for name, value in values.items()}):
        (as_json,) = read(ElasticEmailSamples().as_json(shape))
        assert msgspec.structs.replace(as_json, raw=as_form.raw, delivery_id=as_form.delivery_id) == as_form
    assert as_form.tags == ("spring",)
    assert as_form.metadata == {"postback": "order-77"}
    assert as_form.occurred_at == EARLIER


def test_account_and_sender_are_reported() -> None:
    event = one(account="shop@example.org", **{"from": "news@example.net"})
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "shop@example.org"
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.net"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2026-03-04T10:11:12", datetime(2026, 3, 4, 10, 11, 12, tzinfo=UTC)),
        ("3/4/2026 1:02:03 AM", datetime(2026, 3, 4, 1, 2, 3, tzinfo=UTC)),
        ("03/03/2026 04:17:27 PM", datetime(2026, 3, 3, 16, 17, 27, tzinfo=UTC)),
        ("13/13/2026 04:17:27 PM", NOW),
        ("1/1/0001 12:00:00 AM", NOW),
        ("yesterday" * 10, NOW),
        ("", NOW),
    ],
)
def test_a_date_is_read_in_either_format(written: str, read_as: datetime) -> None:
    assert one(date=written).occurred_at == read_as


@pytest.mark.parametrize("body", [b"", b"status=Error", b"to=a%40example.org", b"{}", b'{"status":"Error"}'])
def test_an_event_about_nobody_is_set_aside(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(msgspec.structs.replace(ElasticEmailSamples().posted({}), body=body))


def test_the_get_that_tries_a_url_is_answered_with_or_without_the_token_in_it() -> None:
    sender = ElasticEmailSamples()
    source = sender.source("first")
    bare = msgspec.structs.replace(sender.as_get({}), query={}, body=b"")
    answer = PROVIDER.bind(source).answer_probe(bare)
    assert isinstance(answer, Answered)
    assert answer.http_status == 200
    assert PROVIDER.bind(source).answer_probe(msgspec.structs.replace(bare, method="OPTIONS")) is None
    assert PROVIDER.bind(source).authenticate(sender.as_get({}), now=NOW, certificates={}) == answer


def test_an_event_by_get_is_read_from_the_url_and_leaves_the_token_there() -> None:
    sender = ElasticEmailSamples()
    source, values = sender.source("first"), sample_values(sample())
    request = sender.as_get(values)
    assert PROVIDER.takes_get
    empty_post = msgspec.structs.replace(request, method="POST", body=b"")
    for asked in (request, empty_post):
        verdict = PROVIDER.bind(source).authenticate(asked, now=NOW, certificates={})
        assert isinstance(verdict, Accepted)
        assert verdict.body is not None
        (event,) = read(msgspec.structs.replace(asked, body=verdict.body))
        assert event.event_key == read(sender.posted(values))[0].event_key
        assert sender.secret.encode() not in event.raw
    stranger = msgspec.structs.replace(request, query={**values, "token": "guess"})
    assert isinstance(PROVIDER.bind(source).authenticate(stranger, now=NOW, certificates={}), Refused)
