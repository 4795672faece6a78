"""A make-believe Scaleway whose topic signs with a key that an authority of its own vouches for."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from schemas.source import Secret, Source
from schemas.vocabulary import Kind
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.scaleway_tem import EVENTS, issuers_url
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.sns_signing import signed_message

TOPIC = "arn:scw:sns:fr-par:project-00000000-1111-2222-3333-444444444444:mail-feedback"
CERTIFICATE_URL = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/0123456789abcdef.pem"

_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_VALID_UNTIL = datetime(2199, 1, 1, tzinfo=UTC)
_NAMES: dict[Kind, str] = {
    **{kind: name for name, (kind, _) in EVENTS.items()},
    Kind.OTHER: "blocklist_created",
    Kind.HARD_BOUNCE: "email_mailbox_not_found",
    Kind.BLOCKED: "email_dropped",
    Kind.SOFT_BOUNCE: "email_dropped",
}


class ScalewayTemSamples:
    """Makes its two keys when it is made, about 80 ms."""

    provider: ClassVar[str] = "scaleway_tem"

    def __init__(self) -> None:
        self._key = generate_private_key(65537, 2048)
        authority = generate_private_key(65537, 2048)
        name = "Scaleway messaging authority"
        self.authority_pem = certificate_pem(name, authority.public_key(), name, authority, is_authority=True)
        self.certificate_pem = certificate_pem("sns.scaleway.com", self._key.public_key(), name, authority)

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """None: the topic signs, and stands in the source's options."""
        return ()

    def source(self, name: str) -> Source:
        """A source that lists this sender's topic, and pins its certificate and its authority."""
        pinned = {
            CERTIFICATE_URL: self.certificate_pem.decode(),
            issuers_url(TOPIC): self.authority_pem.decode(),
        }
        return Source(name=name, provider=self.provider, options={"topics": [TOPIC], "pinned_certificates": pinned})

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One signed notification for each event: a topic knows no batches."""
        return [self.notification(json.dumps(sample_values(event)), now=now) for event in events]

    def notification(self, message: str, *, now: datetime, topic: str = TOPIC) -> WebhookRequest:
        """A signed Notification with this message."""
        return self.request(
            {
                "Type": sns.NOTIFICATION,
                "MessageId": str(uuid5(NAMESPACE_URL, message)),
                "TopicArn": topic,
                "Message": message,
                "Timestamp": iso_time(now),
            }
        )

    def confirmation(self, subscribe_url: str, *, now: datetime) -> WebhookRequest:
        """A signed SubscriptionConfirmation that names this URL."""
        return self.request(
            {
                "Type": sns.SUBSCRIPTION_CONFIRMATION,
                "MessageId": str(uuid5(NAMESPACE_URL, subscribe_url)),
                "Token": "0123456789abcdef" * 8,
                "TopicArn": TOPIC,
                "Message": f"You have chosen to subscribe to the topic {TOPIC}.",
                "SubscribeURL": subscribe_url,
                "Timestamp": iso_time(now),
            }
        )

    def request(
        self, fields: Mapping[str, str], *, version: str = "1", certificate_url: str = CERTIFICATE_URL
    ) -> WebhookRequest:
        """The POST with these fields, signed over what they say."""
        body = signed_message(self._key, fields, version=version, certificate_url=certificate_url)
        return post(self.provider, body, {}, content_type="text/plain; charset=UTF-8")


def certificate_pem(
    name: str, key: RSAPublicKey, issuer: str, issuer_key: RSAPrivateKey, *, is_authority: bool = False
) -> bytes:
    """A certificate of this key, signed by the issuer."""
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Scaleway writes it, inside of the SNS message."""
    name = _NAMES.get(event.kind, "email_delivered")
    values: dict[str, Any] = {
        "id": made_up_id(event),
        "type": name,
        "organization_id": "00000000-1111-2222-3333-555555555555",
        "project_id": "00000000-1111-2222-3333-444444444444",
        "domain_id": "00000000-1111-2222-3333-666666666666",
        "domain_name": "example.org",
        "created_at": iso_time(event.occurred_at),
        "email_to": event.address,
    }
    if name == "blocklist_created":
        return {**values, "blocklist_type": "mailbox_not_found"}
    headers = {"From": "news@example.org", **{f"X-{key}": str(text) for key, text in (event.metadata or {}).items()}}
    values |= {
        "email_id": event.message_id,
        "email_from": "news@example.org",
        "email_headers": [{"key": key, "value": text} for key, text in headers.items()],
        "email_try_count": 1,
    }
    reply = reply_for(event)
    if reply is not None:
        words = reply.line.removeprefix(f"{reply.smtp_code} ")
        values |= {"email_response_code": reply.smtp_code, "email_response_message": words}
    return values


SENDERS = (ScalewayTemSamples,)
