"""Who may speak through SNS: signature, certificate, topic, and the URLs that a message wants fetched."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from schemas.source import Source
from tests.providers.certificates import certificate_of
from worker.errors import UnreadablePayload
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.amazon_ses import PROVIDER
from worker.providers.vendors.amazon.sns_endpoints import AwsEndpoints
from worker.providers.verdict import Accepted, Answered, CertificateNeeded, ConfirmSubscription, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.amazon_ses import CERTIFICATE_URL, TOPIC, AmazonSesSamples

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
HOST = "sns.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def sender() -> AmazonSesSamples:
    return AmazonSesSamples()


def judge(
    request: WebhookRequest,
    options: dict[str, Any],
    *,
    now: datetime = NOW,
    certificates: Mapping[str, bytes] | None = None,
) -> Judgement:
    source = Source(name="ses", provider="amazon_ses", options=options)
    return PROVIDER.bind(source).authenticate(request, now=now, certificates=certificates or {})


def authenticate(sender: AmazonSesSamples, request: WebhookRequest, **options: Any) -> Judgement:
    return judge(request, {**sender.source("ses").options, **options})


def refused(verdict: Judgement) -> Refused:
    assert isinstance(verdict, Refused), verdict
    return verdict


def changed(request: WebhookRequest, **fields: Any) -> WebhookRequest:
    """The request with some fields of its body replaced after signing; None takes one out."""
    body = {**json.loads(request.body), **fields}
    kept = {name: value for name, value in body.items() if value is not None}
    return msgspec.structs.replace(request, body=json.dumps(kept).encode())


class TestStringToSign:
    def test_of_a_notification_with_a_subject(self) -> None:
        body = {
            "Type": "Notification",
            "MessageId": "m-1",
            "TopicArn": "arn:t",
            "Subject": "hello",
            "Message": 'two\nlines and "quotes"',
            "Timestamp": "2026-03-04T05:06:07.000Z",
            "UnsubscribeURL": "https://never.signed",
            "SignatureVersion": "1",
        }
        signed = sns.string_to_sign(sns.read_sns_message(json.dumps(body).encode()))
        assert signed == (
            b'Message\ntwo\nlines and "quotes"\nMessageId\nm-1\nSubject\nhello\n'
            b"Timestamp\n2026-03-04T05:06:07.000Z\nTopicArn\narn:t\nType\nNotification\n"
        )

    def test_of_a_notification_without_one_leaves_the_subject_out(self) -> None:
        body = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": "", "Timestamp": "s"}
        signed = sns.string_to_sign(sns.read_sns_message(json.dumps(body).encode()))
        assert signed == b"Message\n\nMessageId\nm\nTimestamp\ns\nTopicArn\nt\nType\nNotification\n"

    @pytest.mark.parametrize("message_type", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
    @pytest.mark.parametrize("url_key", ["SubscribeURL", "SubscribeUrl"])
    def test_of_both_confirmations_holds_url_and_token_under_one_spelling(
        self, message_type: str, url_key: str
    ) -> None:
        body = {
            "Type": message_type,
            "MessageId": "m",
            "TopicArn": "t",
            "Message": "x",
            "Timestamp": "s",
            "Token": "k",
            "Subject": "not signed here",
            url_key: "https://u",
        }
        signed = sns.string_to_sign(sns.read_sns_message(json.dumps(body).encode()))
        assert signed == (
            b"Message\nx\nMessageId\nm\nSubscribeURL\nhttps://u\nTimestamp\ns\nToken\nk\nTopicArn\nt\n"
            b"Type\n" + message_type.encode() + b"\n"
        )


class TestSignature:
    @pytest.mark.parametrize("version", ["1", "2"])
    def test_of_either_version_is_accepted(self, sender: AmazonSesSamples, version: str) -> None:
        assert authenticate(sender, sender.notification("{}", now=NOW, version=version)) == Accepted()

    def test_covers_the_subject_when_there_is_one(self, sender: AmazonSesSamples) -> None:
        request = sender.notification("{}", now=NOW, Subject="Amazon SES Email Event Notification")
        assert authenticate(sender, request) == Accepted()
        assert refused(authenticate(sender, changed(request, Subject=None))).reason == "bad_signature"
        assert refused(authenticate(sender, changed(request, Subject="other"))).reason == "bad_signature"

    def test_does_not_depend_on_the_order_of_the_keys(self, sender: AmazonSesSamples) -> None:
        request = sender.notification("{}", now=NOW)
        body = dict(reversed(json.loads(request.body).items()))
        assert authenticate(sender, msgspec.structs.replace(request, body=json.dumps(body).encode())) == Accepted()

    def test_fits_text_beyond_ascii_and_line_feeds(self, sender: AmazonSesSamples) -> None:
        assert authenticate(sender, sender.notification("Grüße\n\t☃ 𝄞", now=NOW)) == Accepted()

    def test_fits_the_spelling_of_lambda(self, sender: AmazonSesSamples) -> None:
        request = changed(sender.notification("{}", now=NOW), SigningCertURL=None, SigningCertUrl=CERTIFICATE_URL)
        assert authenticate(sender, request) == Accepted()

    @pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp"])
    def test_of_tampered_text_is_refused(self, sender: AmazonSesSamples, field: str) -> None:
        request = changed(sender.notification("{}", now=NOW), **{field: "other"})
        verdict = refused(authenticate(sender, request))
        assert (verdict.reason, verdict.http_status) == ("bad_signature", 401)

    def test_of_a_message_made_into_another_type_is_refused(self, sender: AmazonSesSamples) -> None:
        request = changed(sender.notification("{}", now=NOW), Type="UnsubscribeConfirmation")
        request = msgspec.structs.replace(
            request, headers={**request.headers, "x-amz-sns-message-type": "UnsubscribeConfirmation"}
        )
        assert refused(authenticate(sender, request)).reason == "bad_signature"

    @pytest.mark.parametrize("signature", ["", "not base64!", base64.b64encode(b"x" * 256).decode(), None])
    def test_that_is_none_is_refused(self, sender: AmazonSesSamples, signature: str | None) -> None:
        request = changed(sender.notification("{}", now=NOW), Signature=signature)
        assert refused(authenticate(sender, request)).reason == "bad_signature"

    def test_by_a_strangers_key_is_refused(self, sender: AmazonSesSamples) -> None:
        forged = AmazonSesSamples().notification("{}", now=NOW)
        assert refused(authenticate(sender, forged)).reason == "bad_signature"

    def test_made_with_sha1_does_not_pass_as_version_2(self, sender: AmazonSesSamples) -> None:
        request = changed(sender.notification("{}", now=NOW, version="1"), SignatureVersion="2")
        assert refused(authenticate(sender, request)).reason == "bad_signature"

    @pytest.mark.parametrize("version", ["3", "", "1.0", None])
    def test_of_an_unknown_version_is_refused(self, sender: AmazonSesSamples, version: str | None) -> None:
        request = changed(sender.notification("{}", now=NOW), SignatureVersion=version)
        assert refused(authenticate(sender, request)).reason == "unknown_signature_version"

    @pytest.mark.parametrize("setting", [["2"], [2], "2", 2])
    def test_of_version_1_is_refused_where_only_version_2_is_allowed(
        self, sender: AmazonSesSamples, setting: object
    ) -> None:
        old = authenticate(sender, sender.notification("{}", now=NOW, version="1"), signature_versions=setting)
        assert refused(old).reason == "signature_version_not_allowed"
        new = authenticate(sender, sender.notification("{}", now=NOW), signature_versions=setting)
        assert new == Accepted()


class TestCertificate:
    def without_pin(
        self, sender: AmazonSesSamples, certificates: Mapping[str, bytes], url: str = CERTIFICATE_URL
    ) -> Judgement:
        request = sender.request(
            {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": "{}", "Timestamp": "s"},
            certificate_url=url,
        )
        return judge(request, {"topics": [TOPIC]}, certificates=certificates)

    def test_is_asked_for_and_then_used(self, sender: AmazonSesSamples) -> None:
        assert self.without_pin(sender, {}) == CertificateNeeded(url=CERTIFICATE_URL)
        assert self.without_pin(sender, {CERTIFICATE_URL: sender.certificate_pem}) == Accepted()

    def test_of_another_url_does_not_help(self, sender: AmazonSesSamples) -> None:
        other = f"https://{HOST}/SimpleNotificationService-{'f' * 32}.pem"
        assert self.without_pin(sender, {other: sender.certificate_pem}) == CertificateNeeded(url=CERTIFICATE_URL)

    @pytest.mark.parametrize(
        "host",
        [
            "sns.eu-west-1.amazonaws.com",
            "sns.us-gov-west-1.amazonaws.com",
            "sns.ap-southeast-5.amazonaws.com",
            "sns.us-iso-east-1.amazonaws.com",
            "sns.cn-north-1.amazonaws.com.cn",
        ],
    )
    def test_of_a_regional_endpoint_may_be_fetched(self, sender: AmazonSesSamples, host: str) -> None:
        url = f"https://{host}{PATH}"
        assert AwsEndpoints().is_certificate_url(url)
        assert self.without_pin(sender, {}, url) == CertificateNeeded(url=url)

    @pytest.mark.parametrize(
        "url",
        [
            f"http://{HOST}{PATH}",
            f"https://sns.s3.amazonaws.com{PATH}",
            f"https://sns.s3-us-west-2.amazonaws.com{PATH}",
            f"https://evil.amazonaws.com{PATH}",
            f"https://sns.amazonaws.com{PATH}",
            f"https://sns.eu-west-1.s3.amazonaws.com{PATH}",
            f"https://x.sns.eu-west-1.amazonaws.com{PATH}",
            f"https://{HOST}.evil.example{PATH}",
            f"https://{HOST}:8443{PATH}",
            f"https://user@{HOST}{PATH}",
            f"https://user:pw@{HOST}{PATH}",
            f"https://evil.example#@{HOST}{PATH}",
            f"https://{HOST}{PATH}?x=1",
            f"https://{HOST}{PATH}#x",
            f"https://{HOST}{PATH}\n",
            f"https://{HOST}/evil.pem",
            f"https://{HOST}/..{PATH}",
            f"https://{HOST}\\@evil.example{PATH}",
            f"https://sns.eu-west-1xamazonaws.com{PATH}",
            f"https://SNS.eu-west-1.amazonaws.com{PATH}",
            "",
        ],
    )
    def test_elsewhere_is_never_fetched(self, sender: AmazonSesSamples, url: str) -> None:
        assert not AwsEndpoints().is_certificate_url(url)
        assert refused(self.without_pin(sender, {url: sender.certificate_pem}, url)).reason == "certificate_url_refused"

    def test_under_another_domain_needs_the_option(self) -> None:
        url = f"https://sns.eusc-de-east-1.amazonaws.eu{PATH}"
        assert not AwsEndpoints().is_certificate_url(url)
        for setting in ("amazonaws.eu", ["amazonaws.eu"]):
            source = Source(name="ses", provider="amazon_ses", options={"aws_domains": setting})
            assert AwsEndpoints(sns.domains_of(source)).is_certificate_url(url)
            assert not AwsEndpoints(sns.domains_of(source)).is_certificate_url(CERTIFICATE_URL)

    @pytest.mark.parametrize("moment", [datetime(1999, 12, 31, tzinfo=UTC), datetime(2199, 1, 2, tzinfo=UTC)])
    def test_out_of_its_validity_is_refused_for_later(self, sender: AmazonSesSamples, moment: datetime) -> None:
        request = sender.notification("{}", now=NOW)
        verdict = judge(request, sender.source("ses").options, now=moment)
        assert refused(verdict).reason == "certificate_out_of_date"
        assert refused(verdict).http_status == 503

    def test_that_cannot_be_read_is_refused_for_later(self, sender: AmazonSesSamples) -> None:
        for pem in (b"<html>captive portal</html>", b"", certificate_of(ec.generate_private_key(ec.SECP256R1()))):
            verdict = refused(self.without_pin(sender, {CERTIFICATE_URL: pem}))
            assert (verdict.reason, verdict.http_status) == ("certificate_unreadable", 503)


class TestTopic:
    def test_of_a_stranger_is_refused_although_the_signature_is_good(self, sender: AmazonSesSamples) -> None:
        forged = "arn:aws:sns:eu-west-1:999999999999:mail-feedback"
        verdict = refused(authenticate(sender, sender.notification("{}", now=NOW, TopicArn=forged)))
        assert (verdict.reason, verdict.http_status) == ("topic_not_allowed", 403)

    def test_of_a_stranger_never_makes_us_fetch_a_certificate(self, sender: AmazonSesSamples) -> None:
        request = sender.notification("{}", now=NOW, TopicArn=TOPIC + "2")
        verdict = judge(request, {"topics": [TOPIC]})
        assert refused(verdict).reason == "topic_not_allowed"

    def test_written_as_one_text_is_never_matched_in_part(self, sender: AmazonSesSamples) -> None:
        assert authenticate(sender, sender.notification("{}", now=NOW), topics=TOPIC) == Accepted()
        part = sender.notification("{}", now=NOW, TopicArn=TOPIC[:-3])
        assert refused(authenticate(sender, part, topics=TOPIC)).reason == "topic_not_allowed"

    @pytest.mark.parametrize("topics", [None, [], "", ()])
    def test_list_that_is_empty_lets_nobody_in_for_now(self, sender: AmazonSesSamples, topics: object) -> None:
        verdict = refused(authenticate(sender, sender.notification("{}", now=NOW), topics=topics))
        assert (verdict.reason, verdict.http_status) == ("no_topics_configured", 503)


class TestMessageType:
    def test_that_differs_from_the_header_is_refused(self, sender: AmazonSesSamples) -> None:
        request = sender.confirmation(now=NOW)
        request = msgspec.structs.replace(
            request, headers={**request.headers, "x-amz-sns-message-type": "Notification"}
        )
        assert refused(authenticate(sender, request)).reason == "message_type_mismatch"

    def test_counts_as_the_body_says_where_a_proxy_drops_the_header(self, sender: AmazonSesSamples) -> None:
        request = msgspec.structs.replace(sender.notification("{}", now=NOW), headers={})
        assert authenticate(sender, request) == Accepted()

    def test_that_is_unknown_is_refused(self, sender: AmazonSesSamples) -> None:
        request = sender.notification("{}", now=NOW, Type="UnsubscriptionConfirmation")
        assert refused(authenticate(sender, request)).reason == "unknown_message_type"


class TestConfirmation:
    def test_of_a_subscription_is_to_be_fetched(self, sender: AmazonSesSamples) -> None:
        request = sender.confirmation(now=NOW)
        url = json.loads(request.body)["SubscribeURL"]
        assert authenticate(sender, request) == ConfirmSubscription(url=url, topic=TOPIC)

    def test_of_a_strangers_topic_is_refused(self, sender: AmazonSesSamples) -> None:
        request = sender.confirmation(now=NOW, TopicArn="arn:aws:sns:eu-west-1:999999999999:evil")
        assert refused(authenticate(sender, request)).reason == "topic_not_allowed"

    @pytest.mark.parametrize(
        "url",
        [
            f"http://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=x",
            f"https://169.254.169.254/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=x",
            f"https://sns.s3.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=x",
            f"https://{HOST}:444/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=x",
            f"https://u@{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=x",
            f"https://{HOST}/other?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=x",
            f"https://{HOST}/?Action=DeleteTopic&TopicArn={TOPIC}",
            f"https://{HOST}/?Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={TOPIC}",
            f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}2&Token=x",
            f"https://{HOST}/?Action=ConfirmSubscription&Token=x",
            f"https://{HOST}/",
            "",
        ],
    )
    def test_at_another_url_is_never_fetched(self, sender: AmazonSesSamples, url: str) -> None:
        assert not AwsEndpoints().is_subscribe_url(url, TOPIC)
        verdict = refused(authenticate(sender, sender.confirmation(now=NOW, SubscribeURL=url)))
        assert verdict.reason == "subscribe_url_refused"

    def test_with_a_tampered_token_is_refused(self, sender: AmazonSesSamples) -> None:
        request = changed(sender.confirmation(now=NOW), Token="other")
        assert refused(authenticate(sender, request)).reason == "bad_signature"

    def test_of_an_unsubscription_is_answered_and_never_taken_back(self, sender: AmazonSesSamples) -> None:
        request = sender.confirmation(now=NOW, message_type="UnsubscribeConfirmation")
        verdict = authenticate(sender, request)
        assert isinstance(verdict, Answered)
        assert (verdict.reason, verdict.http_status) == ("subscription_ended", 200)

    def test_of_an_unsubscription_is_signed_with_its_token(self, sender: AmazonSesSamples) -> None:
        request = sender.confirmation(now=NOW, message_type="UnsubscribeConfirmation")
        assert refused(authenticate(sender, changed(request, Token="other"))).reason == "bad_signature"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"Type": "Notification"}',
        b'{"Type": 1, "MessageId": "m", "TopicArn": "t", "Message": "x", "Timestamp": "s"}',
        b'{"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": {}, "Timestamp": "s"}',
        b'{"Type": "\xff"}',
        b'{"Type": ' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_sns_message_is_refused(sender: AmazonSesSamples, body: bytes) -> None:
    request = msgspec.structs.replace(sender.notification("{}", now=NOW), body=body)
    verdict = refused(authenticate(sender, request))
    assert (verdict.reason, verdict.http_status) == ("unreadable_body", 400)
    with pytest.raises(UnreadablePayload):
        sns.read_sns_message(body)


def test_an_authentic_message_again_gives_the_same_verdict(sender: AmazonSesSamples) -> None:
    request = sender.notification("{}", now=NOW)
    assert authenticate(sender, request) == authenticate(sender, request) == Accepted()
