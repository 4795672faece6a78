"""Mail that ESPs post: each unwraps it its own way, and tells of DKIM in its own words."""

import base64
import json
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

import msgspec
import pytest

from schemas.source import Secret
from tests.providers.mail_conformance import BOUNCE, MailConformance
from tests.providers.one_time_tokens import token_of
from tests.providers.sample_events import NOW
from tests.providers.sns_conformance import SnsConformance
from worker.errors import UnreadablePayload
from worker.providers.payload.multipart_payload import decode_any_form
from worker.providers.vendors.amazon import sns
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mail import (
    AmazonSesInboundSamples,
    MailgunInboundSamples,
    PostmarkInboundSamples,
    SendGridInboundSamples,
    multipart_body,
    multipart_type,
)
from worker.samples.sendgrid import SendGridSamples


def signed_by(*domains: str, tags: str = "", mail: bytes = BOUNCE) -> bytes:
    """The mail with a signature field for each domain; whether they hold is the vendor's verdict."""
    fields = [f"DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=s;{tags} h=from; bh=x; b=y\r\n" for domain in domains]
    return "".join(fields).encode() + mail


class FormConformance(MailConformance):
    empty_bodies = (b"", b"--xYzZY--\r\n")
    mail_field: ClassVar[str]

    def documents(self, request: WebhookRequest) -> list[Any]:
        fields = decode_any_form(request.body, request.headers["content-type"], "sample")
        return [{name: value.decode() for name, value in fields.items()}]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return multipart_body({name: str(value).encode("utf-8", "replace") for name, value in document.items()})

    def with_mail(self, document: Any, message: str) -> Any:
        return document | {self.mail_field: message}


class TestSendGridInbound(FormConformance):
    provider_name = "sendgrid_inbound"
    make_sender = SendGridInboundSamples
    mail_field = "email"

    def posted(self, **fields: bytes) -> WebhookRequest:
        return SendGridInboundSamples().posted_fields({"email": BOUNCE, **fields})

    def test_its_verdict_names_the_domains_whose_signature_stands_in_the_mail(self) -> None:
        mail = signed_by("arf.mail.yahoo.com", "example.net")
        verdicts = b"{@arf.mail.yahoo.com : pass, @example.net : fail, @not-there.example : pass}"
        assert self.unwrapped(self.posted(email=mail, dkim=verdicts)).dkim_pass == ("arf.mail.yahoo.com",)

    def test_a_signature_that_covers_only_the_beginning_is_not_believed(self) -> None:
        mail = signed_by("arf.mail.yahoo.com", tags=" l=10;")
        assert self.unwrapped(self.posted(email=mail, dkim=b"{@arf.mail.yahoo.com : pass}")).dkim_pass == ()

    @pytest.mark.parametrize("envelope", [b"", b"{", b"[]", b'{"to": ["a@b.example", "c@d.example"]}', b'{"to": 3}'])
    def test_an_envelope_that_leaves_a_choice_names_nobody(self, envelope: bytes) -> None:
        assert self.unwrapped(self.posted(envelope=envelope)).envelope_recipient is None

    def test_a_form_with_the_mail_taken_apart_says_what_to_switch_on(self) -> None:
        with pytest.raises(UnreadablePayload, match="full MIME message"):
            self.parse([SendGridInboundSamples().posted_fields({"text": b"hello", "headers": b"From: a@b"})])

    def test_a_security_policy_signs_as_the_event_webhook_does(self) -> None:
        signer = SendGridSamples()
        source = msgspec.structs.replace(
            self.new_sender().source("first"), authentication="signature", secrets=signer.secrets_for_source()
        )
        assert self.provider.check_source(source) == []
        request = msgspec.structs.replace(signer.signed(self.posted().body, now=NOW), path="/webhooks/first")
        assert isinstance(self.judge(request, source, self.new_sender()), Accepted)
        reasons = []
        for changed, now in (
            (msgspec.structs.replace(request, body=request.body + b" "), NOW),
            (self.unsigned(request), NOW),
            (request, NOW + timedelta(days=5)),
        ):
            verdict = self.judge(changed, source, self.new_sender(), now=now)
            assert isinstance(verdict, Refused)
            reasons.append(verdict.reason)
        assert reasons == ["bad_signature", "missing_signature", "stale"]

    def test_a_secret_that_is_no_public_key_is_reported(self) -> None:
        source = msgspec.structs.replace(self.new_sender().source("first"), authentication="signature")
        assert any("no P-256 public key" in problem for problem in self.provider.check_source(source))


class TestMailgunInbound(FormConformance):
    provider_name = "mailgun_inbound"
    make_sender = MailgunInboundSamples
    mail_field = "body-mime"
    max_age = timedelta(hours=9)

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        document = self.documents(request)[0]
        return msgspec.structs.replace(request, body=self.body(document | {"token": "a" * 50}, request))

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        document = self.documents(request)[0]
        del document["signature"]
        return msgspec.structs.replace(request, body=self.body(document, request))

    def with_verdict(self, mail: bytes, *verdicts: str) -> WebhookRequest:
        headers = "".join(f"X-Mailgun-Dkim-Check-Result: {verdict}\r\n" for verdict in verdicts)
        return MailgunInboundSamples().posted_fields({"body-mime": headers.encode() + mail}, now=NOW)

    def test_its_verdict_counts_only_where_the_operator_says_that_it_is_mailguns(self) -> None:
        request = self.with_verdict(signed_by("arf.mail.yahoo.com"), "Pass")
        assert self.unwrapped(request).dkim_pass == ()
        assert self.unwrapped(request, spam_filter_marks=True).dkim_pass == ("arf.mail.yahoo.com",)

    @pytest.mark.parametrize("verdicts", [(), ("Fail",), ("Pass", "Pass"), ("Fail", "Pass"), ("Pass", "Fail")])
    def test_no_verdict_or_a_second_one_counts_as_none(self, verdicts: tuple[str, ...]) -> None:
        request = self.with_verdict(signed_by("arf.mail.yahoo.com"), *verdicts)
        assert self.unwrapped(request, spam_filter_marks=True).dkim_pass == ()

    def test_of_two_signing_domains_nobody_knows_whose_passed(self) -> None:
        request = self.with_verdict(signed_by("arf.mail.yahoo.com", "attacker.example"), "Pass")
        assert self.unwrapped(request, spam_filter_marks=True).dkim_pass == ()

    def test_a_token_is_good_for_one_mail(self) -> None:
        sender = self.new_sender()
        assert isinstance(sender, MailgunInboundSamples)
        source = sender.source("first")
        verdicts = [
            self.judge(sender.posted_fields({"body-mime": mail}, now=NOW, token="t" * 50), source, sender)
            for mail in (BOUNCE, BOUNCE, b"From: a@b\r\n\r\nanother")
        ]
        verdicts += [
            self.judge(
                sender.posted_fields({"body-mime": BOUNCE, name: b"else@example.org"}, now=NOW, token="t" * 50),
                source,
                sender,
            )
            for name in ("recipient", "sender")
        ]
        accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
        assert {token_of(verdict).signed for verdict in accepted} == {f"mailgun {int(NOW.timestamp())}{'t' * 50}"}
        fingerprints = [token_of(verdict).used_for for verdict in accepted]
        assert fingerprints[0] == fingerprints[1]
        assert len(set(fingerprints)) == 4  # another mail, another recipient and another sender are none of them it
        assert token_of(accepted[0]).window_seconds == 9 * 3600 + 300

    def test_a_form_with_the_mail_taken_apart_says_how_the_url_must_end(self) -> None:
        with pytest.raises(UnreadablePayload, match="end in mime"):
            self.parse([MailgunInboundSamples().posted_fields({"body-plain": b"hello"}, now=NOW)])

    def test_an_urlencoded_form_is_read_alike(self) -> None:
        request = self.with_verdict(BOUNCE)
        plain = self.documents(request)[0]
        body = "&".join(
            f"{name}={''.join(f'%{byte:02x}' for byte in value.encode())}" for name, value in plain.items()
        ).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert self.unwrapped(msgspec.structs.replace(request, headers=headers, body=body)).message == BOUNCE

    def test_an_option_of_the_wrong_sort_is_reported(self) -> None:
        source = self.new_sender().source("first")
        source.options["spam_filter_marks"] = "yes"
        assert any(
            "spam_filter_marks must be true or false" in problem for problem in self.provider.check_source(source)
        )


class TestPostmarkInbound(MailConformance):
    provider_name = "postmark_inbound"
    make_sender = PostmarkInboundSamples

    def with_mail(self, document: Any, message: str) -> Any:
        return document | {"RawEmail": message}

    def taken_apart(self, **values: Any) -> WebhookRequest:
        """The bounce as Postmark posts it without RawEmail."""
        parts = BOUNCE.decode().split("--" + BOUNCE.decode().partition('boundary="')[2].partition('"')[0])
        attachments = []
        for part in parts[2:4]:
            head, _, content = part.strip().partition("\r\n\r\n")
            kind = head.partition(": ")[2]
            attachments.append(
                {"Name": "", "ContentType": kind, "Content": base64.b64encode(content.encode()).decode()}
            )
        document = json.loads(PostmarkInboundSamples().posted(BOUNCE, now=NOW).body)
        del document["RawEmail"]
        document["Headers"].append({"Name": "Message-ID", "Value": "<bounce-1@mx.example.net>"})
        return PostmarkInboundSamples().posted_values(document | {"Attachments": attachments} | values)

    def test_without_the_raw_mail_it_is_put_together_from_its_parts(self) -> None:
        raw, apart = (
            self.parse([request])[0]
            for request in (PostmarkInboundSamples().posted(BOUNCE, now=NOW), self.taken_apart())
        )
        assert (apart.kind, apart.cause, apart.address) == (raw.kind, raw.cause, raw.address)
        assert (apart.event_key, apart.diagnostic) == (raw.event_key, raw.diagnostic)

    def test_what_is_put_together_is_the_same_each_time(self) -> None:
        messages = [self.unwrapped(self.taken_apart()).message for _ in range(2)]
        assert messages[0] == messages[1]

    def test_a_header_cannot_be_broken_out_of(self) -> None:
        headers = [{"Name": "X-A", "Value": "1\r\nX-B: 2"}, {"Name": "X-C\r\nX-D", "Value": "3"}]
        message = self.unwrapped(self.taken_apart(Headers=headers)).message
        assert b"X-A: 1 X-B: 2\r\n" in message
        assert b"X-C" not in message

    def test_it_tells_no_verdict_on_dkim(self) -> None:
        assert self.unwrapped(PostmarkInboundSamples().posted(signed_by("arf.mail.yahoo.com"), now=NOW)).dkim_pass == ()

    def test_feedback_on_mail_that_was_sent_belongs_to_another_source(self) -> None:
        with pytest.raises(UnreadablePayload, match="provider postmark"):
            self.parse([PostmarkInboundSamples().posted_values({"RecordType": "Bounce", "Email": "jane@example.org"})])


@cache
def shared_sender() -> AmazonSesInboundSamples:
    """One for all tests: AWS has one key, rotates it by itself, and making one takes its time."""
    return AmazonSesInboundSamples()


class TestAmazonSesInbound(SnsConformance, MailConformance):
    provider_name = "amazon_ses_inbound"
    make_sender = shared_sender
    signs_body = True

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b"bounces@", b"another@"))

    def with_mail(self, document: Any, message: str) -> Any:
        return document | {"content": message}

    def test_while_a_secret_is_rotated_both_the_old_and_the_new_are_accepted(self) -> None:
        sender = self.new_sender()
        source = msgspec.structs.replace(sender.source("first"), secrets=(Secret("old:one"), Secret("new:two")))
        for secret in source.secrets:
            shown = base64.b64encode(secret.reveal().encode()).decode()
            request = self.request(sender)
            request = msgspec.structs.replace(request, headers={**request.headers, "authorization": f"Basic {shown}"})
            assert isinstance(self.judge(request, source, sender), Accepted)
        assert isinstance(self.judge(self.request(sender), source, sender), Refused)

    def test_a_topic_that_is_not_listed_may_not_speak(self) -> None:
        sender = self.new_sender()
        source = sender.source("first")
        source.options["topics"] = ["arn:aws:sns:eu-west-1:000000000000:another"]
        verdict = self.judge(self.request(sender), source, sender)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "topic_not_allowed"

    def test_a_subscription_is_confirmed_by_the_receiver(self) -> None:
        sender = self.new_sender()
        assert isinstance(sender, AmazonSesInboundSamples)
        arn = sender.source("first").options["topics"][0]
        url = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={arn}&Token=abc"
        request = sender.confirmation(now=NOW, SubscribeURL=url, Token="abc", Message="hello", MessageId="1")
        verdict = self.judge(request, sender.source("first"), sender)
        assert type(verdict).__name__ == "ConfirmSubscription"

    @pytest.mark.parametrize("in_base64", [True, False])
    def test_the_mail_is_read_in_either_encoding(self, in_base64: bool) -> None:  # noqa: FBT001 - a pytest parameter
        sender = shared_sender()
        assert self.unwrapped(sender.posted(BOUNCE, now=NOW, in_base64=in_base64)).message == BOUNCE

    def test_its_verdict_counts_where_only_one_domain_signs(self) -> None:
        sender = shared_sender()
        cases = {
            ("PASS", ("arf.mail.yahoo.com",)): ("arf.mail.yahoo.com",),
            ("PASS", ("arf.mail.yahoo.com", "arf.mail.yahoo.com")): ("arf.mail.yahoo.com",),
            ("PASS", ("arf.mail.yahoo.com", "attacker.example")): (),
            ("PASS", ()): (),
            ("FAIL", ("arf.mail.yahoo.com",)): (),
            ("GRAY", ("arf.mail.yahoo.com",)): (),
        }
        for (verdict, domains), passed in cases.items():
            request = sender.posted(signed_by(*domains), now=NOW, dkim=verdict)
            assert self.unwrapped(request).dkim_pass == passed, (verdict, domains)

    def test_the_s3_actions_notification_says_which_action_to_use(self) -> None:
        sender = shared_sender()
        values = self.documents(sender.posted(BOUNCE, now=NOW))[0]
        del values["content"]
        values["receipt"]["action"] = {"type": "S3", "bucketName": "mail", "objectKey": "1"}
        with pytest.raises(UnreadablePayload, match=r"action S3 has no content: use the SNS action"):
            self.parse([sender.posted_values(values, now=NOW)])

    def test_feedback_on_mail_that_was_sent_belongs_to_another_source(self) -> None:
        sender = shared_sender()
        with pytest.raises(UnreadablePayload, match="provider amazon_ses"):
            self.parse([sender.posted_values({"notificationType": "Bounce", "bounce": {}}, now=NOW)])

    def test_only_notifications_carry_mail(self) -> None:
        assert sns.NOTIFICATION == "Notification"
        sender = shared_sender()
        request = sender.posted(BOUNCE, now=NOW)
        body = request.body.replace(b'"Type": "Notification"', b'"Type": "SubscriptionConfirmation"')
        with pytest.raises(UnreadablePayload, match="carries no mail"):
            self.read(self.envelope(request, body))


def test_a_form_of_the_samples_is_read_by_the_type_that_they_name() -> None:
    assert decode_any_form(multipart_body({"a": b"1"}), multipart_type(), "sample") == {"a": b"1"}
