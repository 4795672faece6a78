"""Unisender Go: what all providers do, and what only it does."""

import json
from hashlib import md5
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_body, parse_request
from tests.providers.sample_events import NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.unisender_go import DELIVERY_STATUSES, PROVIDER, STATUS_EVENT, STATUSES
from worker.providers.verdict import Accepted, Answered, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.unisender_go import UnisenderGoSamples, sample_element

# https://godocs.unisender.ru/email-statuses and https://docs.unione.io/en/web-api-ref#callback-format.
VENDOR_STATUSES = "accepted sent delivered opened clicked unsubscribed subscribed soft_bounced hard_bounced spam"
VENDOR_DELIVERY_STATUSES = (
    "err_user_unknown err_user_inactive err_will_retry err_mailbox_discarded err_mailbox_full err_spam_rejected "
    "err_blacklisted err_too_large err_unsubscribed err_unreachable err_skip_letter err_domain_inactive "
    "err_destination_misconfigured err_delivery_failed err_spam_skipped err_lost not_sent skip_dup_unreachable "
    "skip_dup_temp_unreachable skip_dup_mailbox_full err_spam_removed err_resend err_unknown err_retry_letter "
    "err_src_invalid err_dest_invalid err_not_available err_internal err_no_dns err_no_smtp err_giveup"
)


# What godocs.unisender.ru says of each with hard_bounced, and where UniOne gives no description what its name says.
MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "err_user_unknown",
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED): "err_user_inactive err_mailbox_discarded",
        (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST): "err_domain_inactive",
        (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS): "err_dest_invalid",
        (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL): "err_mailbox_full",
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE): "err_destination_misconfigured",
        (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE): "err_no_dns",
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "err_no_smtp",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "err_giveup",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): (
            "err_will_retry err_unreachable err_delivery_failed err_resend err_retry_letter err_not_available "
            "err_unknown"
        ),
        (Kind.BLOCKED, Cause.CONTENT): "err_spam_rejected",
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "err_blacklisted",
        (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE): "err_too_large",
        (Kind.DROPPED, Cause.CONTENT): "err_spam_skipped err_spam_removed",
        (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER): "err_unsubscribed",
        (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER): (
            "err_skip_letter skip_dup_unreachable skip_dup_temp_unreachable skip_dup_mailbox_full"
        ),
        (Kind.DROPPED, Cause.SENDER_CONFIGURATION): "err_lost err_internal err_src_invalid not_sent",
    }
)


class TestUnisenderGo(ProviderConformance):
    provider_name = "unisender_go"
    make_sender = UnisenderGoSamples
    event_field = "event_name"

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        content = json.loads(request.body)
        del content["auth"]
        return msgspec.structs.replace(request, body=json.dumps(content).encode())

    def documents(self, request: WebhookRequest) -> list[Any]:
        return list(json.loads(request.body)["events_by_user"][0]["events"])

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        content = json.loads(request.body)
        content["events_by_user"][0]["events"] = [document]
        return json.dumps(content).encode()

    def stripped(self, document: Any) -> Any:
        data = document["event_data"]
        return document | {"event_data": {"email": data["email"], "status": data["status"]}}


def read(request: WebhookRequest) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, request)


def bounced(word: str | None, words: str | None = None, status: str = "hard_bounced") -> FeedbackEvent:
    element = sample_element(sample())
    element["event_data"] |= {"status": status, "delivery_info": None}
    if word is not None:
        element["event_data"]["delivery_info"] = {"delivery_status": word, "destination_response": words}
    (event,) = read(UnisenderGoSamples().posted([element]))
    return event


def test_every_documented_status_has_a_meaning() -> None:
    assert set(STATUSES) == set(VENDOR_STATUSES.split())
    assert set(DELIVERY_STATUSES) == set(VENDOR_DELIVERY_STATUSES.split())


@pytest.mark.parametrize("word", VENDOR_DELIVERY_STATUSES.split())
def test_a_refusal_is_what_its_delivery_status_says(word: str) -> None:
    event = bounced(word)
    assert (event.kind, event.cause) == MEANINGS[word]
    assert event.recognised
    assert event.vendor_event == f"hard_bounced/{word}"


@pytest.mark.parametrize(
    ("word", "words", "kind", "cause"),
    [
        ("err_delivery_failed", "550 Spam message rejected", Kind.BLOCKED, Cause.CONTENT),
        ("err_unreachable", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("err_user_unknown", "550 something", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        (None, None, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    ],
)
def test_the_servers_words_count_where_the_status_is_vague(
    word: str | None, words: str | None, kind: Kind, cause: Cause
) -> None:
    event = bounced(word, words)
    assert (event.kind, event.cause) == (kind, cause)


def test_a_soft_bounce_is_a_delay_whatever_the_words() -> None:
    for word in ("err_will_retry", "err_mailbox_full", None):
        assert bounced(word, "552 5.2.2 mailbox full", "soft_bounced").kind is Kind.DEFERRED
    assert bounced("err_will_retry", "552 5.2.2 mailbox full", "soft_bounced").cause is Cause.MAILBOX_FULL


def test_new_words_are_noticed() -> None:
    assert not bounced("err_invented").recognised
    event = bounced(None, status="teleported")
    assert (event.kind, event.recognised) == (Kind.OTHER, False)


def test_the_spam_folder_is_no_complaint() -> None:
    event = bounced("ok_spam_folder", status="spam")
    assert (event.kind, event.cause, event.recognised) == (Kind.OTHER, Cause.CONTENT, True)
    assert bounced("ok_fbl", status="spam").kind is Kind.COMPLAINT


def test_a_single_event_says_the_same_as_one_in_an_array() -> None:
    sender = UnisenderGoSamples()
    (alone,), (in_array,) = read(sender.single(sample())), read(sender.requests([sample()], now=NOW)[0])
    assert msgspec.structs.replace(alone, raw=b"", delivery_id=in_array.delivery_id) == msgspec.structs.replace(
        in_array, raw=b""
    )
    for event in (alone, in_array):
        assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "6123462132634"


def test_without_a_project_the_user_is_the_account() -> None:
    content = {"events_by_user": [{"user_id": 456, "events": [sample_element(sample())]}]}
    (event,) = read(UnisenderGoSamples().hashed(content))
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "456"


def test_one_bad_element_spoils_no_other() -> None:
    events = read(UnisenderGoSamples().posted([3, sample_element(sample()), {"event_name": STATUS_EVENT}, {}]))
    assert [event.vendor_event for event in events] == [
        "malformed",
        "hard_bounced/err_user_unknown",
        "malformed",
        "malformed",
    ]


@pytest.mark.parametrize("body", [b"{}", b'{"events_by_user":3}', b'{"events_by_user":[{"events":null}]}'])
def test_a_body_without_events_is_set_aside(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(msgspec.structs.replace(UnisenderGoSamples().posted([]), body=body))


def test_the_hash_is_the_documented_one() -> None:
    sender = UnisenderGoSamples()
    body = b'{"auth":"' + sender.secret.encode() + b'","events_by_user":[]}'
    digest = md5(body, usedforsecurity=False).hexdigest().encode()
    request = msgspec.structs.replace(sender.posted([]), body=body.replace(sender.secret.encode(), digest))
    assert isinstance(judge(request, sender), Accepted)


def test_what_could_trick_the_hash_is_refused() -> None:
    sender = UnisenderGoSamples()
    request = sender.posted([])
    auth = json.loads(request.body)["auth"].encode()
    for body in (
        request.body + b"{}",  # prolonged
        request.body.replace(b"{", b'{"copy":"' + auth + b'",', 1),
        request.body.replace(auth, b""),
        request.body.replace(auth, b"a"),
        request.body.replace(auth, auth.upper()) if auth.upper() != auth else b"{}",
        request.body.replace(b'"' + auth + b'"', b"7"),
        b"\xff",
    ):
        assert isinstance(judge(msgspec.structs.replace(request, body=body), sender), Refused)


def test_the_get_of_a_new_webhook_is_answered() -> None:
    request = msgspec.structs.replace(UnisenderGoSamples().posted([]), method="GET", body=b"")
    source = UnisenderGoSamples().source("first")
    answer = PROVIDER.bind(source).answer_probe(request)
    assert isinstance(answer, Answered)
    assert answer.http_status == 200
    assert PROVIDER.bind(source).answer_probe(msgspec.structs.replace(request, method="OPTIONS")) is None


def judge(request: WebhookRequest, sender: UnisenderGoSamples) -> object:
    return PROVIDER.bind(sender.source("first")).authenticate(request, now=NOW, certificates={})


def test_the_hash_with_the_key_inside_is_not_queued() -> None:
    sender = UnisenderGoSamples()
    (request,) = sender.requests([sample()], now=NOW)
    verdict = PROVIDER.bind(sender.source("first")).authenticate(request, now=NOW, certificates={})
    assert isinstance(verdict, Accepted)
    assert verdict.body is not None
    given = json.loads(request.body)
    assert json.loads(verdict.body) == given | {"auth": ""}
    keys = [[event.event_key for event in parse_body(PROVIDER, body)] for body in (request.body, verdict.body)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("word", ["err_will_retry", "err_resend", "err_retry_letter"])
def test_a_hard_bounce_is_final_even_where_its_reason_speaks_of_another_try(word: str) -> None:
    assert PROVIDER.vocabulary[f"hard_bounced/{word}"] == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
