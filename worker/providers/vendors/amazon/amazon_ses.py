"""Amazon SES: feedback through SNS, enveloped or raw, and through EventBridge.

ses_notification.py reads what SES writes; this module has its envelopes, and the proof of each.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from msgspec import Struct, structs

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken
from worker.providers.authentication.json_web_token import JsonWebToken
from worker.providers.authentication.scheme import Scheme, is_open
from worker.providers.bound_source import BoundSource, Welcome
from worker.providers.provider import Provider
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.ses_event_bridge import account_event, read_event_bridge, tells_of_a_message
from worker.providers.vendors.amazon.ses_notification import read_notification
from worker.providers.vendors.amazon.ses_vocabulary import VOCABULARY
from worker.providers.vendors.amazon.sns import SnsProof
from worker.providers.vendors.amazon.sns_endpoints import AwsEndpoints
from worker.providers.verdict import Accepted, CertificateNeeded, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# SNS signs: worker.providers.vendors.amazon.sns. For EventBridge, its connection decides what is sent:
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateConnection.html

RAW_DELIVERY_HEADER = "x-amz-sns-rawdelivery"
API_KEY_HEADER = "x-api-key"

SCHEMES: dict[str, Scheme] = {  # those of EventBridge
    "api_key": HeaderToken(header=API_KEY_HEADER),
    "basic": BasicCredentials(),
    "oauth": JsonWebToken(),
}

# -- What its events are, and why ----------------------------------------------------------------------------
# worker.providers.vendors.amazon.ses_vocabulary

# -- How it is read ------------------------------------------------------------------------------------------


class SesProof(Struct, frozen=True, kw_only=True):
    """The proof of SNS, or for raw delivery only the secret, which the operator must have allowed."""

    sns: SnsProof
    raw_refusal: Refused | None

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """The refusal by the credentials in the URL."""
        return self.sns.refuse_head(request, now=now)

    def refuse(
        self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Refused | CertificateNeeded | None:
        """None if the message is signed and its topic is allowed, or if it is raw and expected."""
        if not _is_raw(request.headers):
            return self.sns.refuse(request, now=now, certificates=certificates)
        return self.refuse_head(request, now=now) or self.raw_refusal


def needs_secret(source: Source) -> bool:
    """True for EventBridge, which signs nothing."""
    return source.authentication in SCHEMES


def check_topics(source: Source) -> list[str]:
    """The mistakes in a source of SNS: above all a missing topic, without which every AWS account is believed."""
    return [] if source.authentication in SCHEMES or is_open(source) else sns.check_sns_options(source)


def tailor(bound: BoundSource) -> BoundSource:
    """Proves requests by SNS, unless the source is for EventBridge."""
    source = bound.source
    if source.authentication in SCHEMES:
        return bound
    endpoints = AwsEndpoints(sns.domains_of(source))
    proof = SesProof(sns=sns.sns_proof(source, endpoints, BasicCredentials()), raw_refusal=_raw_refusal(source))
    bound = sns.prove_by_sns(bound, proof, endpoints)
    return structs.replace(bound, welcome=partial(_welcome, bound.welcome, may_be_bare=is_open(source)))


def _welcome(welcome_sns: Welcome, request: WebhookRequest, *, may_be_bare: bool) -> Verdict:
    """Does what SNS asks for; accepts events without its envelope."""
    bare = _is_raw(request.headers) or (may_be_bare and read_event_bridge(request.body) is not None)
    return Accepted() if bare else welcome_sns(request)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each recipient that SES reports; raises UnreadablePayload."""
    raw = _unwrap(envelope)
    if event := read_event_bridge(raw):
        if not tells_of_a_message(event):
            return [account_event(event, raw, envelope)]
        raw = bytes(event.detail)
    return read_notification(raw, envelope)


def _is_raw(headers: Mapping[str, str]) -> bool:
    return headers.get(RAW_DELIVERY_HEADER, "").strip().lower() == "true"


def _raw_refusal(source: Source) -> Refused | None:
    if not sns.RAW_DELIVERY.of(source):
        return Refused(
            reason="raw_delivery_off",
            detail="Raw delivery carries no signature. Switch it off at the subscription, or set the "
            "option raw_delivery = true together with a secret.",
        )
    if not source.secrets:
        return Refused(
            reason="raw_delivery_without_secret",
            detail="Raw delivery carries no signature, so that only a secret can prove who sent it: add "
            "one, and put it into the subscription's URL.",
        )
    return None


def _unwrap(envelope: Envelope) -> bytes:
    """The content of the SNS message; the body itself for raw delivery and for EventBridge."""
    if _is_raw(envelope.headers):
        return envelope.body
    try:
        message = sns.read_sns_message(envelope.body)
    except UnreadablePayload:
        if read_event_bridge(envelope.body) is None:
            raise
        return envelope.body
    if message.type != sns.NOTIFICATION:
        raise UnreadablePayload(f"SNS message: a {message.type[:40]} carries no feedback")
    return message.message.encode("utf-8", "surrogatepass")


PROVIDER = Provider(
    name="amazon_ses",
    title="Amazon SES",
    documentation="https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html",
    proof="signature of SNS, and the topic; for EventBridge an API key, basic or an OAuth token",
    later_status=sns.LATER_STATUS,
    kept_headers=frozenset({RAW_DELIVERY_HEADER, sns.MESSAGE_TYPE_HEADER}),
    secret_help=(
        "none is needed for SNS: it signs, and `topics` lists the ARNs that may speak. A secret `user:password` "
        "adds basic authentication; put it into the subscription's URL: https://user:password@host/webhooks/… For "
        "EventBridge it is what the API destination's connection shows"
    ),
    schemes=SCHEMES,
    own_proof=True,
    options=(*sns.PROOF_OPTIONS, sns.DOMAINS, sns.RAW_DELIVERY),
    vocabulary=VOCABULARY,
    account_paths={
        "subaccount": "mail.sendingAccountId",  # of AWS
        "sending_domain": "mail.source",
    },
    parse=parse,
    tailor=tailor,
    needs_secret=needs_secret,
    check_also=check_topics,
)
