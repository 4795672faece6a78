"""Whom a source of SES lets in, and what is said of one that is configured wrongly."""

import base64
from typing import Any

import msgspec
import pytest

from schemas.source import Secret, Source
from schemas.vocabulary import Kind
from tests.providers.vendors.amazon.ses_payloads import HAPPENED, NOW, SECRET
from worker.providers.vendors.amazon.amazon_ses import PROVIDER
from worker.providers.verdict import Accepted, ConfirmSubscription, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.amazon_ses import CERTIFICATE_URL, TOPIC, AmazonSesSamples
from worker.samples.sample import SampleEvent


@pytest.fixture(scope="module")
def sender() -> AmazonSesSamples:
    return AmazonSesSamples()


class TestAuthentication:
    def verdict(self, request: WebhookRequest, source: Source) -> Judgement:
        return PROVIDER.bind(source).authenticate(request, now=NOW, certificates={})

    def reason(self, request: WebhookRequest, source: Source) -> str:
        verdict = self.verdict(request, source)
        assert isinstance(verdict, Refused), verdict
        return verdict.reason

    def with_credentials(self, request: WebhookRequest, text: str) -> WebhookRequest:
        header = "Basic " + base64.b64encode(text.encode()).decode()
        return msgspec.structs.replace(request, headers={**request.headers, "authorization": header})

    def test_by_signature_needs_no_secret(self, sender: AmazonSesSamples) -> None:
        assert self.verdict(sender.notification("{}", now=NOW), sender.source("ses")) == Accepted()

    def test_by_password_comes_on_top_of_the_signature_with_a_challenge(self, sender: AmazonSesSamples) -> None:
        source = msgspec.structs.replace(sender.source("ses"), secrets=(Secret("old:1"), SECRET))
        request = sender.notification("{}", now=NOW)
        verdict = self.verdict(request, source)
        assert isinstance(verdict, Refused)
        assert verdict.http_status == 401
        assert verdict.challenge is not None
        assert verdict.challenge.startswith("Basic ")
        assert self.verdict(self.with_credentials(request, SECRET.reveal()), source) == Accepted()
        assert self.reason(self.with_credentials(request, "sns:wrong"), source) == "bad_credentials"
        forged = AmazonSesSamples().notification("{}", now=NOW)
        assert self.reason(self.with_credentials(forged, SECRET.reveal()), source) == "bad_signature"

    def test_of_raw_delivery_needs_the_option_and_a_secret(self, sender: AmazonSesSamples) -> None:
        event = SampleEvent(address="a@b.example", kind=Kind.DELIVERED, occurred_at=HAPPENED, message_id="1")
        request = sender.raw_request(event, secret=SECRET)
        both = Source(name="ses", provider="amazon_ses", secrets=(SECRET,), options={"raw_delivery": True})
        assert self.verdict(request, both) == Accepted()
        off = msgspec.structs.replace(both, options={"topics": [TOPIC]})
        assert self.reason(request, off) == "raw_delivery_off"
        without = msgspec.structs.replace(both, secrets=())
        assert self.reason(request, without) == "raw_delivery_without_secret"

    def test_of_raw_delivery_challenges_so_that_sns_sends_the_password(self, sender: AmazonSesSamples) -> None:
        event = SampleEvent(address="a@b.example", kind=Kind.DELIVERED, occurred_at=HAPPENED, message_id="1")
        request = sender.raw_request(event, secret=Secret("sns:wrong"))
        source = Source(name="ses", provider="amazon_ses", secrets=(SECRET,), options={"raw_delivery": True})
        for attempt in (request, msgspec.structs.replace(request, headers={"x-amz-sns-rawdelivery": "true"})):
            verdict = self.verdict(attempt, source)
            assert isinstance(verdict, Refused)
            assert (verdict.http_status, verdict.challenge is not None) == (401, True)

    def test_of_enveloped_messages_wants_the_signature_also_where_raw_delivery_is_on(
        self, sender: AmazonSesSamples
    ) -> None:
        source = msgspec.structs.replace(
            sender.source("ses"), secrets=(SECRET,), options={**sender.source("ses").options, "raw_delivery": True}
        )
        forged = self.with_credentials(AmazonSesSamples().confirmation(now=NOW), SECRET.reveal())
        assert self.reason(forged, source) == "bad_signature"
        genuine = self.with_credentials(sender.confirmation(now=NOW), SECRET.reveal())
        assert isinstance(self.verdict(genuine, source), ConfirmSubscription)

    def test_of_an_address_that_is_not_listed_is_refused(self, sender: AmazonSesSamples) -> None:
        source = msgspec.structs.replace(sender.source("ses"), allowed_addresses=("198.51.100.0/24",))
        assert self.reason(sender.notification("{}", now=NOW), source) == "address_not_allowed"

    def test_is_left_out_only_in_so_many_words(self) -> None:
        source = Source(name="ses", provider="amazon_ses", authentication="none")
        forged = AmazonSesSamples()
        assert self.verdict(forged.notification("{}", now=NOW), source) == Accepted()
        assert isinstance(self.verdict(forged.confirmation(now=NOW), source), ConfirmSubscription)
        elsewhere = forged.confirmation(now=NOW, SubscribeURL="https://169.254.169.254/?Action=ConfirmSubscription")
        assert self.reason(elsewhere, source) == "subscribe_url_refused"
        assert self.reason(msgspec.structs.replace(elsewhere, body=b"{"), source) == "unreadable_body"


class TestSourceCheck:
    def check(self, *, secrets: tuple[Secret, ...] = (), authentication: str = "", **options: Any) -> str:
        source = Source(
            name="ses", provider="amazon_ses", secrets=secrets, authentication=authentication, options=options
        )
        return "\n".join(PROVIDER.check_source(source))

    def test_is_content_with_topics_alone(self, sender: AmazonSesSamples) -> None:
        assert self.check(topics=[TOPIC]) == ""
        assert PROVIDER.check_source(sender.source("ses")) == []

    def test_is_content_with_raw_delivery_and_a_secret(self) -> None:
        assert self.check(raw_delivery=True, secrets=(SECRET,)) == ""

    def test_is_content_with_an_open_source(self) -> None:
        assert self.check(authentication="none") == ""

    def test_wants_topics(self) -> None:
        assert "topics is empty" in self.check()

    @pytest.mark.parametrize("topic", ["mail-feedback", "arn:aws:sqs:eu-west-1:000000000000:q", TOPIC + ".fifo", ""])
    def test_wants_arns_of_standard_topics(self, topic: str) -> None:
        assert "no ARN of a standard SNS topic" in self.check(topics=[topic])

    def test_wants_a_secret_for_raw_delivery(self) -> None:
        assert "raw_delivery needs a secret" in self.check(raw_delivery=True)

    def test_wants_user_and_password_in_a_secret(self) -> None:
        assert "user:password" in self.check(topics=[TOPIC], secrets=(Secret("only-a-password"),))

    def test_wants_known_signature_versions(self) -> None:
        assert "'3' is not known" in self.check(topics=[TOPIC], signature_versions=["2", "3"])

    def test_wants_pinned_certificates_that_can_be_used(self, sender: AmazonSesSamples) -> None:
        pem = sender.certificate_pem.decode()
        assert self.check(topics=[TOPIC], pinned_certificates={CERTIFICATE_URL: pem}) == ""
        assert "no PEM certificate" in self.check(topics=[TOPIC], pinned_certificates={CERTIFICATE_URL: "x"})
        assert "not where SNS keeps" in self.check(topics=[TOPIC], pinned_certificates={"https://example.org": pem})
        assert "no table" in self.check(topics=[TOPIC], pinned_certificates=[pem])

    def test_names_an_option_that_it_does_not_know(self) -> None:
        assert "topicz is not known to amazon_ses: did you mean topics?" in self.check(topics=[TOPIC], topicz=1)

    def test_wants_a_list_of_topics_even_for_one(self) -> None:
        assert 'topics is one text: write a list, topics = ["…"]' in self.check(topics=TOPIC)
