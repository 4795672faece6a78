"""What is asked for by an unsubscribe link, as the fold will have it."""

from datetime import timedelta

import msgspec
import pytest

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Kind, Way
from tests.providers.sample_events import NOW
from worker.errors import ImpossibleSetting, UnreadablePayload
from worker.providers.bound_sources import BoundSources
from worker.providers.registry import PROVIDERS, provider_named
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import (
    NAME,
    PATH,
    PROVIDER,
    choice_in,
    source_of,
)
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest

SECRETS = (Secret("0123456789abcdef0123456789abcdef"),)
LINK = UnsubscribeLink(
    address="Jane@Example.org", list="newsletter", account="shop-7", message_id="<1@shop>", campaign="spring"
)
FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
    "multipart/form-data; boundary=x",
)


def request(body: bytes, content_type: str = FORM, *, link: UnsubscribeLink = LINK, token: str = "") -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        path=PATH + (token or UnsubscribeKeys(SECRETS).make(link) or ""),
        query={},
        headers={"content-type": content_type},
        body=body,
        remote_address="192.0.2.1",
    )


def accepted(given: WebhookRequest) -> Accepted:
    verdict = PROVIDER.bind(source_of(SECRETS)).authenticate(given, now=NOW, certificates={})
    assert isinstance(verdict, Accepted)
    return verdict


def envelope(body: bytes, *, after: timedelta = timedelta()) -> Envelope:
    return Envelope(
        delivery_id=msgspec.convert(
            "0198f0d0-0000-7000-8000-000000000000", type=Envelope.__annotations__["delivery_id"]
        ),
        source=NAME,
        provider=NAME,
        account="default",
        received_at=NOW + after,
        content_type=FORM,
        headers={},
        body=body,
        account_from="account",
    )


def event(body: bytes, content_type: str = FORM, *, after: timedelta = timedelta()) -> FeedbackEvent:
    """The event of a request, read without any key."""
    queued = envelope(accepted(request(body, content_type)).body or b"", after=after)
    bound = BoundSources().of(queued)
    assert bound is not None
    [read] = bound.parse(queued)
    return read


@pytest.mark.parametrize(
    ("body", "content_type"), [(ONE_CLICK, FORM), (ONE_CLICK + b"\r\n", FORM), (ONE_CLICK, ""), PARTS]
)
def test_one_click_of_the_mail_program_is_an_opt_out_of_the_list(body: bytes, content_type: str) -> None:
    read = event(body, content_type)
    assert (read.kind, read.scope, read.way) == (Kind.UNSUBSCRIBE, "newsletter", Way.MAIL_CLIENT)
    assert (read.address, read.message_id, read.metadata) == ("jane@example.org", "<1@shop>", {"campaign": "spring"})
    assert (read.occurred_at, read.provider) == (NOW, "unsubscribe_page")


@pytest.mark.parametrize(
    ("choice", "kind", "scope"),
    [
        (b"list", Kind.UNSUBSCRIBE, "newsletter"),
        (b"fewer", Kind.PREFERS_FEWER, "newsletter"),
        (b"commercial", Kind.DECLINES_COMMERCIAL, None),
        (b"never", Kind.FORBIDS_CONTACT, None),
    ],
)
def test_a_choice_of_the_page_is_a_wish_of_the_person(choice: bytes, kind: Kind, scope: str | None) -> None:
    read = event(b"choice=" + choice)
    assert (read.kind, read.scope, read.way) == (kind, scope, Way.FOOTER_LINK)


def test_the_event_belongs_to_the_account_that_the_token_names() -> None:
    assert PROVIDER.account_paths["account"] == "link.account"
    assert b'"account":"shop-7"' in event(ONE_CLICK).raw


@pytest.mark.parametrize(
    "body",
    [b"", b"List-Unsubscribe", b"List-Unsubscribe=No", b"choice=", b"choice=one_click", b"choice=everything", b"{}"],
)
def test_a_body_that_asks_for_nothing_changes_nothing(body: bytes) -> None:
    assert choice_in(body, FORM) is None
    verdict = PROVIDER.bind(source_of(SECRETS)).authenticate(request(body), now=NOW, certificates={})
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.http_status) == ("unknown_choice", 400)


def test_a_token_is_judged_before_any_body_is_read() -> None:
    bound = PROVIDER.bind(source_of(SECRETS))
    refused = bound.refuse_head(request(b"", token="wp-login.php"), now=NOW)
    assert refused is not None
    assert (refused.reason, refused.http_status) == ("malformed_token", 404)
    assert bound.refuse_head(request(b""), now=NOW) is None


def test_the_same_request_within_a_second_is_one_event_and_later_it_is_another() -> None:
    first, again, later = (event(ONE_CLICK, after=timedelta(seconds=pause)) for pause in (0, 0.4, 2))
    assert first.event_key == again.event_key != later.event_key
    assert first.event_key != event(b"choice=never").event_key


def test_a_queued_request_that_cannot_be_read_is_set_aside() -> None:
    with pytest.raises(UnreadablePayload, match="unsubscribe link"):
        PROVIDER.parse(envelope(b"{}"))


def test_no_source_has_this_provider() -> None:
    assert NAME not in PROVIDERS
    with pytest.raises(ImpossibleSetting):
        provider_named(NAME)
    assert isinstance(
        PROVIDER.bind(Source(name="x", provider=NAME)).authenticate(request(ONE_CLICK), now=NOW, certificates={}),
        Refused,
    )


@pytest.mark.parametrize("kind", ["text/plain", "Text/Plain; charset=utf-8", "application/json", "nonsense"])
def test_one_click_that_is_no_form_is_refused_with_what_to_send(kind: str) -> None:
    verdict = PROVIDER.bind(source_of(SECRETS)).authenticate(
        request(ONE_CLICK, content_type=kind), now=NOW, certificates={}
    )
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.http_status) == ("no_form", 415)
    assert "application/x-www-form-urlencoded or multipart/form-data" in verdict.remedy
