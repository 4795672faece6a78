"""Amazon SNS: the envelope that SES feedback travels in, and the proof of who sent it.

Sources: docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html (fields) and
sns-verify-signature-of-message.html (string to sign, certificate).

A good signature proves only that SNS sent a message, for some AWS account: anybody can create a topic and publish
forged feedback through it. So the list of allowed topics is as much a part of the proof as the signature.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Struct, structs

from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.certificate_issuer import is_issued_by
from worker.providers.authentication.public_key import load_certificate, rsa_pkcs1v15_matches
from worker.providers.authentication.scheme import Proof, Refuse, Scheme, is_open
from worker.providers.authentication.source_options import Form, checked_elsewhere, texts
from worker.providers.bound_source import BoundSource
from worker.providers.vendors.amazon.sns_endpoints import AWS_DOMAINS, AwsEndpoints, SnsEndpoints
from worker.providers.verdict import Accepted, Answered, CertificateNeeded, ConfirmSubscription, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# SNS takes messages of up to 256 KiB, and JSON writes a byte of it in six at the worst.
LARGEST_MESSAGE_BYTES = 2 * 1024 * 1024

LATER_STATUS = 503  # SNS sends again after a 5xx, but not after a 4xx
NOTIFICATION = "Notification"
SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation"
UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation"
MESSAGE_TYPE_HEADER = "x-amz-sns-message-type"

TOPIC_ARN = re.compile(r"arn:aws[a-z0-9-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
SIGNATURE_DIGESTS: dict[str, Literal["sha1", "sha256"]] = {
    "1": "sha1",
    "2": "sha256",
}  # by SignatureVersion; "1" unless a topic says otherwise


TOPICS = texts("topics")
SIGNATURE_VERSIONS = texts("signature_versions")
DOMAINS = texts("aws_domains")
_NO_CERTIFICATES: Mapping[str, str] = {}
PINNED_CERTIFICATES = checked_elsewhere(
    "pinned_certificates",
    _NO_CERTIFICATES,
    lambda value: value if isinstance(value, Mapping) else None,
    form=Form.TABLE_OF_FILES,
)
RAW_DELIVERY = checked_elsewhere("raw_delivery", False, bool)  # noqa: FBT003 - the default
PROOF_OPTIONS = (TOPICS, SIGNATURE_VERSIONS, PINNED_CERTIFICATES)  # of every service that speaks SNS


class SnsMessage(Struct, frozen=True, kw_only=True, gc=False):
    """One SNS message. Lambda, and what it forwards, spells `Url` instead of `URL`."""

    type: str = msgspec.field(name="Type")
    message_id: str = msgspec.field(name="MessageId")
    topic_arn: str = msgspec.field(name="TopicArn")
    message: str = msgspec.field(name="Message")
    timestamp: str = msgspec.field(name="Timestamp")
    subject: str | None = msgspec.field(name="Subject", default=None)
    token: str | None = msgspec.field(name="Token", default=None)
    subscribe_url_as_http: str | None = msgspec.field(name="SubscribeURL", default=None)
    subscribe_url_as_lambda: str | None = msgspec.field(name="SubscribeUrl", default=None)
    signature_version: str | None = msgspec.field(name="SignatureVersion", default=None)
    signature: str | None = msgspec.field(name="Signature", default=None)
    signing_url_as_http: str | None = msgspec.field(name="SigningCertURL", default=None)
    signing_url_as_lambda: str | None = msgspec.field(name="SigningCertUrl", default=None)

    @property
    def subscribe_url(self) -> str:
        """The URL of the confirmation; "" for a notification."""
        return self.subscribe_url_as_http or self.subscribe_url_as_lambda or ""

    @property
    def signing_url(self) -> str:
        """The URL of the certificate; "" if the message names none."""
        return self.signing_url_as_http or self.signing_url_as_lambda or ""


_decode_message = msgspec.json.Decoder(SnsMessage).decode


def read_sns_message(body: bytes) -> SnsMessage:
    """The message in the body, with any content type (SNS sends text/plain).

    Raises UnreadablePayload if the body is no SNS message.
    """
    try:
        return _decode_message(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise UnreadablePayload(f"SNS message: the body is not the JSON that SNS documents ({error})") from error


def string_to_sign(message: SnsMessage) -> bytes:
    """What SNS signs: name, line feed, value, line feed, in byte order of the names.

    Values are those after JSON decoding. `Subject` is signed only if the message has one; `SignatureVersion`,
    `SigningCertURL` and `UnsubscribeURL` never are.
    """
    return "".join(f"{name}\n{value}\n" for name, value in _signed_pairs(message)).encode("utf-8", "surrogatepass")


def _signed_pairs(message: SnsMessage) -> list[tuple[str, str]]:
    pairs = [("Message", message.message), ("MessageId", message.message_id)]
    if message.type == NOTIFICATION:
        if message.subject is not None:
            pairs.append(("Subject", message.subject))
        pairs.append(("Timestamp", message.timestamp))
    else:
        pairs += [
            ("SubscribeURL", message.subscribe_url),
            ("Timestamp", message.timestamp),
            ("Token", message.token or ""),
        ]
    return [*pairs, ("TopicArn", message.topic_arn), ("Type", message.type)]


def domains_of(source: Source) -> tuple[str, ...]:
    """The domains under which AWS endpoints are trusted; `aws_domains` replaces the usual two."""
    return DOMAINS.of(source) or AWS_DOMAINS


class SnsProof(Struct, frozen=True, kw_only=True):
    """The signature of SNS, and the credentials in the subscription's URL if the source has a secret."""

    endpoints: SnsEndpoints
    topics: tuple[str, ...]  # the ARNs of allowed topics
    signature_versions: tuple[str, ...]
    pinned_certificates: Mapping[str, str]  # PEM texts by URL, used before asking for a download
    beside: Refuse | None

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """The refusal by the credentials in the URL. SNS sends them only after a 401 with a challenge."""
        return None if self.beside is None else self.beside(request, now)

    def refuse(
        self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Refused | CertificateNeeded | None:
        """None if the message is signed and its topic is allowed."""
        return self.refuse_head(request, now=now) or self._refuse_message(request, now, certificates)

    def _refuse_message(
        self, request: WebhookRequest, now: datetime, certificates: Mapping[str, bytes]
    ) -> Refused | CertificateNeeded | None:
        try:
            message = read_sns_message(request.body)
        except UnreadablePayload as error:
            return Refused(reason="unreadable_body", detail=str(error), http_status=400)
        # All cheap checks come before the certificate, so that strangers cannot make us fetch one.
        refusal = (
            _type_refusal(request, message)
            or _topic_refusal(message, self.topics)
            or _version_refusal(message, self.signature_versions)
            or _line_refusal(message)
            or _url_refusal(message, self.endpoints)
        )
        if refusal is not None:
            return refusal
        at_hand: dict[str, bytes] = {}
        for url in (message.signing_url, self.endpoints.issuers_url(message.topic_arn)):
            if url is not None:
                pinned = self.pinned_certificates.get(url)
                pem = pinned.encode() if pinned else certificates.get(url)
                if pem is None:
                    return CertificateNeeded(url=url)
                at_hand[url] = pem
        return _issuer_refusal(message, at_hand, self.endpoints, now) or _signature_refusal(
            message, at_hand[message.signing_url], now
        )


def needs_no_secret(_source: Source) -> bool:
    """False: SNS signs with its own keys."""
    return False


def sns_proof(source: Source, endpoints: SnsEndpoints, beside: Scheme) -> SnsProof:
    """The proof of the source; `beside` are the credentials in the URL if there is a secret."""
    return SnsProof(
        endpoints=endpoints,
        topics=TOPICS.of(source),
        signature_versions=SIGNATURE_VERSIONS.of(source) or tuple(SIGNATURE_DIGESTS),
        pinned_certificates=PINNED_CERTIFICATES.of(source),
        beside=beside.bind(source) if source.secrets else None,
    )


def prove_by_sns(bound: BoundSource, proof: Proof, endpoints: SnsEndpoints) -> BoundSource:
    """The source with this proof, unless everybody may post to it; in both cases it accepts messages of SNS."""
    return structs.replace(
        bound,
        proof=None if is_open(bound.source) else proof,
        unproven_bytes=LARGEST_MESSAGE_BYTES,
        welcome=partial(welcome, endpoints=endpoints),
    )


def welcome(request: WebhookRequest, *, endpoints: SnsEndpoints) -> Verdict:
    """The verdict on an SNS message that is authentic, or that came to an open source."""
    try:
        message = read_sns_message(request.body)
    except UnreadablePayload as error:
        return Refused(reason="unreadable_body", detail=str(error), http_status=400)
    if message.type == UNSUBSCRIBE_CONFIRMATION:
        # Its SubscribeURL would subscribe again, against the will of the person who has just unsubscribed.
        return Answered(
            reason="subscription_ended",
            detail=f"SNS has ended the subscription to {message.topic_arn}: no feedback comes from it "
            "any more. If that was not meant, subscribe this URL to the topic again.",
        )
    if message.type == SUBSCRIPTION_CONFIRMATION:
        if not endpoints.is_subscribe_url(message.subscribe_url, message.topic_arn):
            return Refused(
                reason="subscribe_url_refused",
                detail=f"The SubscribeURL of {message.topic_arn} is no confirmation at {endpoints.where}; nothing was "
                "fetched.",
                http_status=403,
            )
        return ConfirmSubscription(url=message.subscribe_url, topic=message.topic_arn)
    return Accepted()


def check_sns_options(source: Source) -> list[str]:
    """The mistakes in the options that authentication needs, each with its remedy."""
    problems = []
    topics = TOPICS.of(source)
    if not topics and not RAW_DELIVERY.of(source):
        problems.append(
            "topics is empty: list the ARNs of your SNS topics, because a good signature proves only that some "
            "AWS account sent a message"
        )
    problems += [
        f"topics: {topic!r} is no ARN of a standard SNS topic: copy it from the SNS console "
        "(arn:aws:sns:eu-west-1:123456789012:name)"
        for topic in topics
        if not TOPIC_ARN.fullmatch(topic)
    ]
    if RAW_DELIVERY.of(source) and not source.secrets:
        problems.append("raw_delivery needs a secret, since raw messages carry no signature: add one as user:password")
    problems += [
        "one of the secrets is not user:password: write both, with a colon between"
        for secret in source.secrets
        if not all(secret.reveal().partition(":"))
    ]
    return problems + check_proof_options(source, AwsEndpoints(domains_of(source)))


def check_proof_options(source: Source, endpoints: SnsEndpoints) -> list[str]:
    """The mistakes in `signature_versions` and `pinned_certificates`, each with its remedy."""
    problems = [
        f'signature_versions: {version!r} is not known: use "1", "2" or both'
        for version in SIGNATURE_VERSIONS.of(source)
        if version not in SIGNATURE_DIGESTS
    ]
    if not isinstance(source.options.get(PINNED_CERTIFICATES.name) or {}, Mapping):
        return [*problems, "pinned_certificates is no table: write the certificate's URL = its PEM text"]
    for url, pem in PINNED_CERTIFICATES.of(source).items():
        if not endpoints.is_certificate_url(url):
            problems.append(f"pinned_certificates: {url!r} is not where SNS keeps a certificate")
        if not isinstance(pem, str) or not is_usable_certificate(pem.encode()):
            problems.append(f"pinned_certificates: what belongs to {url!r} is no PEM certificate with an RSA key")
    return problems


def _type_refusal(request: WebhookRequest, message: SnsMessage) -> Refused | None:
    if message.type not in (NOTIFICATION, SUBSCRIPTION_CONFIRMATION, UNSUBSCRIBE_CONFIRMATION):
        return Refused(
            reason="unknown_message_type",
            detail="The SNS message is of a type that SNS does not document.",
            http_status=400,
        )
    message_type = request.headers.get(MESSAGE_TYPE_HEADER, message.type)
    if message_type != message.type:
        return Refused(
            reason="message_type_mismatch",
            detail=f"The header {MESSAGE_TYPE_HEADER} and the body's Type ({message.type}) differ.",
        )
    return None


def _topic_refusal(message: SnsMessage, topics: tuple[str, ...]) -> Refused | None:
    if not topics:
        return Refused(
            reason="no_topics_configured",
            detail="The source lists no `topics`, and without them anybody's SNS topic could speak here: "
            "add the ARN of your topic.",
            http_status=LATER_STATUS,
        )
    if message.topic_arn not in topics:
        return Refused(
            reason="topic_not_allowed",
            detail="The message's TopicArn is not among the source's `topics`.",
            http_status=403,
        )
    return None


def _version_refusal(message: SnsMessage, allowed: tuple[str, ...]) -> Refused | None:
    if message.signature_version not in SIGNATURE_DIGESTS:
        return Refused(
            reason="unknown_signature_version",
            detail="The SignatureVersion is neither 1 nor 2; nothing to verify.",
        )
    # The version itself is not signed, so a source that requires SHA-256 must refuse the other version.
    if message.signature_version not in allowed:
        return Refused(
            reason="signature_version_not_allowed",
            detail=f"The message is signed with version {message.signature_version}, which the source's "
            "`signature_versions` leave out: set the topic's attribute SignatureVersion to 2.",
        )
    return None


def _line_refusal(message: SnsMessage) -> Refused | None:
    """Refuses line feeds in values other than Message, where they could be the next names and values."""
    broken = [name for name, value in _signed_pairs(message) if name != "Message" and "\n" in value]
    if not broken:
        return None
    return Refused(
        reason="bad_signature",
        detail=f"{broken[0]} has several lines, as SNS writes none: what is signed could be cut into other values.",
    )


def _url_refusal(message: SnsMessage, endpoints: SnsEndpoints) -> Refused | None:
    if endpoints.is_certificate_url(message.signing_url):
        return None
    return Refused(
        reason="certificate_url_refused",
        detail=f"The SigningCertURL is no certificate of {endpoints.where}.",
    )


def is_usable_certificate(pem: bytes) -> bool:
    """True for a PEM certificate that holds an RSA key."""
    certificate = load_certificate(pem)
    try:
        return certificate is not None and isinstance(certificate.public_key(), RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):  # a key of a broken or unknown sort
        return False


def _issuer_refusal(
    message: SnsMessage, certificates: Mapping[str, bytes], endpoints: SnsEndpoints, now: datetime
) -> Refused | None:
    issuers_url = endpoints.issuers_url(message.topic_arn)
    if issuers_url is None or is_issued_by(certificates[message.signing_url], certificates[issuers_url], now=now):
        return None
    return Refused(
        reason="certificate_not_issued",
        detail=f"The certificate of {message.signing_url} is not issued by those at {issuers_url}, or they are out of "
        "date: renew them where they are pinned, or set this machine's clock.",
        http_status=LATER_STATUS,
    )


def _signature_refusal(message: SnsMessage, pem: bytes, now: datetime) -> Refused | None:
    certificate = load_certificate(pem)
    # An unusable certificate says nothing about the sender: SNS should send the message again.
    if certificate is None or not is_usable_certificate(pem):
        return Refused(
            reason="certificate_unreadable",
            detail=f"What lies at {message.signing_url} is no certificate with an RSA key.",
            http_status=LATER_STATUS,
        )
    valid_from, valid_until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not valid_from <= now <= valid_until:
        return Refused(
            reason="certificate_out_of_date",
            detail=f"The certificate of {message.signing_url} is valid from {valid_from:%Y-%m-%d} until "
            f"{valid_until:%Y-%m-%d}: renew it where it is pinned, or set this machine's clock.",
            http_status=LATER_STATUS,
        )
    digest = SIGNATURE_DIGESTS[message.signature_version or ""]
    if rsa_pkcs1v15_matches(pem, message.signature or "", string_to_sign(message), digest=digest):
        return None
    return Refused(reason="bad_signature", detail=f"The signature does not fit the message of {message.topic_arn}.")
