"""Azure Communication Services: what all providers do, and what only it does."""

import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, NOW, all_kinds_but, sample
from worker.providers.vendors.azure_communication_services import (
    DELIVERY_STATUSES,
    ENGAGEMENTS,
    PROVIDER,
    VALIDATION_EVENT,
)
from worker.providers.verdict import Accepted, Answered, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.azure_communication_services import (
    AzureCommunicationServicesSamples,
    as_cloud_event,
    sample_element,
)

_NOT_TOLD = {Kind.ACCEPTED, Kind.DEFERRED, Kind.UNSUBSCRIBE, Kind.COMPLAINT}

# https://learn.microsoft.com/azure/event-grid/communication-services-email-events: `status` and `engagementType`.
VENDOR_STATUSES = {"Delivered", "Suppressed", "Bounced", "Quarantined", "FilteredSpam", "Expanded", "Failed"}
VENDOR_ENGAGEMENTS = {"view", "click"}


class TestAzureCommunicationServices(BatchConformance):
    provider_name = "azure_communication_services"
    make_sender = AzureCommunicationServicesSamples
    event_field = "eventType"
    told_at_least = ("eventType", "data.recipient", "data.status")
    signs_body = False
    kinds = all_kinds_but(*_NOT_TOLD)

    def test_cloud_events_say_the_same_alone_and_in_a_batch(self) -> None:
        element = sample_element(sample())
        (own,) = self.read(self.envelope(AzureCommunicationServicesSamples().posted([element])))
        for content in (as_cloud_event(element), [as_cloud_event(element)]):
            (event,) = self.read(self.envelope(AzureCommunicationServicesSamples().posted(content)))
            assert msgspec.structs.replace(event, raw=b"", delivery_id=own.delivery_id) == msgspec.structs.replace(
                own, raw=b""
            )

    def test_one_bad_element_spoils_no_other(self) -> None:
        content = [7, sample_element(sample()), {"eventType": "Microsoft.Communication.EmailDeliveryReportReceived"}]
        events = self.read(self.envelope(AzureCommunicationServicesSamples().posted(content)))
        assert [event.vendor_event for event in events] == [
            "malformed",
            "EmailDeliveryReportReceived/Bounced",
            "malformed",
        ]


def judge(request: WebhookRequest, source: Source) -> Judgement:
    return PROVIDER.bind(source).authenticate(request, now=NOW, certificates={})


def read(element: dict[str, Any]) -> FeedbackEvent:
    (event,) = parse_request(PROVIDER, AzureCommunicationServicesSamples().posted([element]))
    return event


def delivery_report(status: str, words: str | None = None, **other: Any) -> FeedbackEvent:
    element = sample_element(sample())
    element["data"] |= {"status": status, "deliveryStatusDetails": {"statusMessage": words}, **other}
    return read(element)


def test_every_documented_status_and_engagement_has_a_meaning() -> None:
    assert set(DELIVERY_STATUSES) == VENDOR_STATUSES
    assert set(ENGAGEMENTS) == VENDOR_ENGAGEMENTS


def test_a_status_of_tomorrow_is_kept_by_name() -> None:
    event = delivery_report("Teleported")
    assert (event.kind, event.recognised) == (Kind.OTHER, False)
    assert event.vendor_event.endswith("/Teleported")


@pytest.mark.parametrize(
    ("status", "words", "kind", "cause"),
    [
        (
            "Bounced",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found",
            Kind.HARD_BOUNCE,
            Cause.MAILBOX_DOES_NOT_EXIST,
        ),
        ("Delivered", None, Kind.DELIVERED, Cause.NONE),
        # To the members of a distribution group, who get reports of their own.
        ("Expanded", None, Kind.OTHER, Cause.NONE),
        ("Bounced", None, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("Bounced", "552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("Failed", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("Failed", "550 5.7.1 your IP is on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("Failed", "451 4.3.2 system not accepting network messages", Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
        ("Failed", None, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        ("FilteredSpam", "550 5.1.1 user unknown", Kind.BLOCKED, Cause.CONTENT),
        ("FilteredSpam", "554 5.7.1 virus detected in the message", Kind.BLOCKED, Cause.VIRUS),
        ("Quarantined", "Message was quarantined", Kind.BLOCKED, Cause.CONTENT),
        # Azure's list is that of all customers: what it was told about others' mail is news here.
        ("Suppressed", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        # The customer's own list is behind the same word, and a refusal of some other sender leads to Azure's too.
        ("Suppressed", None, Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("Suppressed", "The recipient was suppressed", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("Suppressed", "550 5.7.26 fails DMARC", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    ],
)
def test_the_servers_words_refine_a_status(status: str, words: str | None, kind: Kind, cause: Cause) -> None:
    event = delivery_report(status, words)
    assert (event.kind, event.cause, event.diagnostic) == (kind, cause, words)


def test_both_spellings_of_the_time_are_read_and_else_the_events_own_counts() -> None:
    later = "2026-03-04T11:30:00.1234567+00:00"
    assert (
        delivery_report("Delivered", deliveryAttemptTimestamp=later, deliveryAttemptTimeStamp="").occurred_at.minute
        == 30
    )
    assert delivery_report("Delivered", deliveryAttemptTimeStamp=None).occurred_at == EARLIER


def test_an_engagement_of_nobody_changes_nothing() -> None:
    element = sample_element(sample(Kind.OPENED, Cause.NONE))
    del element["data"]["recipient"]
    event = read(element)
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


class TestHandshakes:
    def test_the_code_of_event_grids_own_comes_back(self) -> None:
        sender = AzureCommunicationServicesSamples()
        request = sender.handshake("512d38b6-c7b8-40c8-89fe-f46f9e9622b6")
        without_header = msgspec.structs.replace(request, headers={"content-type": "application/json"})
        for asked in (request, without_header):
            verdict = judge(asked, sender.source("first"))
            assert isinstance(verdict, Answered)
            assert verdict.http_status == 200
            assert json.loads(verdict.body) == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
            assert verdict.content_type == "application/json"

    def test_it_is_not_answered_to_strangers(self) -> None:
        request = AzureCommunicationServicesSamples().handshake("code")
        assert isinstance(judge(request, AzureCommunicationServicesSamples().source("first")), Refused)

    @pytest.mark.parametrize("body", [b"", b"[]", b"[3]", b'[{"eventType":"x"}]'])
    def test_one_without_a_code_is_refused(self, body: bytes) -> None:
        sender = AzureCommunicationServicesSamples()
        request = msgspec.structs.replace(sender.handshake("code"), body=body)
        verdict = judge(request, sender.source("first"))
        assert isinstance(verdict, Refused)
        assert verdict.reason == "unreadable_handshake"

    def test_a_report_that_only_mentions_it_is_accepted(self) -> None:
        sender = AzureCommunicationServicesSamples()
        element = sample_element(sample(diagnostic=f"550 5.1.1 {VALIDATION_EVENT}"))
        assert isinstance(judge(sender.posted([element]), sender.source("first")), Accepted)

    def test_cloud_events_ask_by_options(self) -> None:
        sender = AzureCommunicationServicesSamples()
        asked = options({"webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "120"})
        answer = PROVIDER.bind(sender.source("first")).answer_probe(asked)
        assert isinstance(answer, Answered)
        assert answer.http_status == 200
        assert answer.headers == {"WebHook-Allowed-Origin": "eventgrid.azure.net", "WebHook-Allowed-Rate": "*"}

    @pytest.mark.parametrize("headers", [{}, {"webhook-request-origin": "a\r\nSet-Cookie: b"}])
    def test_options_requests_of_others_get_no_answer(self, headers: dict[str, str]) -> None:
        assert PROVIDER.bind(AzureCommunicationServicesSamples().source("first")).answer_probe(options(headers)) is None


def options(headers: dict[str, str]) -> WebhookRequest:
    return WebhookRequest(
        method="OPTIONS", path="/webhooks/azure", query={}, headers=headers, body=b"", remote_address="192.0.2.1"
    )


def test_a_secret_may_stand_in_a_header() -> None:
    source = Source(name="azure", provider=PROVIDER.name, authentication="header", secrets=(Secret("long-and-random"),))
    assert PROVIDER.check_source(source) == []
    request = AzureCommunicationServicesSamples().posted([])
    for value, expected in (("long-and-random", Accepted), ("guess", Refused), ("", Refused)):
        shown = msgspec.structs.replace(request, headers={**request.headers, "x-webhook-secret": value})
        assert isinstance(judge(shown, source), expected)


def test_a_report_that_quotes_the_handshake_is_accepted_without_the_header_too() -> None:
    sender = AzureCommunicationServicesSamples()
    quoting = sender.posted([sample_element(sample(diagnostic=f"550 5.1.1 {VALIDATION_EVENT}"))])
    bare = msgspec.structs.replace(quoting, headers={"content-type": "application/json"})
    assert isinstance(judge(bare, sender.source("first")), Accepted)
