"""Amazon SES: feedback through SNS, enveloped or raw, and through EventBridge.

What SES writes is read in ses_notification.py; here is what it comes wrapped in, and the proof of each.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken, refuse_basic_auth
from worker.providers.authentication.json_web_token import TOKEN_OPTIONS, JsonWebToken
from worker.providers.authentication.scheme import Scheme, check_common, is_open
from worker.providers.authentication.source_options import check_options
from worker.providers.provider import Accepted, Refused, Verdict, WebhookRequest
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.ses_event_bridge import account_event, read_event_bridge, tells_of_a_message
from worker.providers.vendors.amazon.ses_notification import read_notification
from worker.providers.vendors.amazon.ses_vocabulary import VOCABULARY
from worker.providers.webhook_provider import WebhookProvider

# -- How it authenticates ------------------------------------------------------------------------------------
# SNS signs: worker.providers.vendors.amazon.sns. What EventBridge shows is the choice of its connection:
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateConnection.html

RAW_DELIVERY_HEADER = "x-amz-sns-rawdelivery"
API_KEY_HEADER = "x-api-key"
SNS_OPTIONS = frozenset({"topics", "signature_versions", "raw_delivery", "pinned_certificates", "aws_domains"})

# -- What its events are, and why ----------------------------------------------------------------------------
# worker.providers.vendors.amazon.ses_vocabulary

# -- How it is read ------------------------------------------------------------------------------------------


class AmazonSes(WebhookProvider):
    """See worker.providers.webhook_provider.WebhookProvider; SNS has its own proof, beside the schemes."""

    name: ClassVar[str] = "amazon_ses"
    title: ClassVar[str] = "Amazon SES"
    documentation: ClassVar[str] = "https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html"
    proof: ClassVar[str] = "signature of SNS, and the topic; for EventBridge an API key, basic or an OAuth token"
    later_status: ClassVar[int] = sns.LATER_STATUS
    kept_headers: ClassVar[frozenset[str]] = frozenset({RAW_DELIVERY_HEADER, sns.MESSAGE_TYPE_HEADER})
    secret_help: ClassVar[str] = (
        "none is needed for SNS: it signs, and `topics` lists the ARNs that may speak. A secret `user:password` "  # noqa: S105 - a text about secrets
        "adds basic authentication; put it into the subscription's URL: https://user:password@host/webhooks/… For "
        "EventBridge it is what the API destination's connection shows"
    )
    schemes: ClassVar[Mapping[str, Scheme]] = {  # those of EventBridge
        "api_key": HeaderToken(header=API_KEY_HEADER),
        "basic": BasicCredentials(),
        "oauth": JsonWebToken(),
    }
    seconds_options: ClassVar[tuple[str, ...]] = ()
    other_options: ClassVar[tuple[str, ...]] = (*TOKEN_OPTIONS, *SNS_OPTIONS)
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = VOCABULARY
    account_paths: ClassVar[Mapping[str, str]] = {
        "subaccount": "mail.sendingAccountId",  # of AWS
        "sending_domain": "mail.source",
    }

    def check_source(self, source: Source) -> list[str]:
        """What is wrong in a source: above all a missing topic, without which every AWS account may speak."""
        if source.authentication in self.schemes:
            return super().check_source(source)
        problems = check_common(
            source, schemes=("", *self.schemes), secret_help=self.secret_help, secret_required=False
        )
        if not is_open(source):
            problems += sns.check_sns_options(source)
        return problems + check_options(source, others=self.other_options)

    def refuse_head(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """The caller's address, what EventBridge shows, and basic authentication where it is configured beside SNS."""
        refused = super().refuse_head(request, source, now=now)
        # SNS sends the credentials of its URL only once it was answered 401 with a challenge.
        if refused is None and source.authentication not in self.schemes and not is_open(source) and source.secrets:
            refused = refuse_basic_auth(request, source.secrets)
        return refused

    def unproven_bytes(self, source: Source) -> int | None:
        """A message of SNS is read before it is proved, and never larger."""
        return None if source.authentication in self.schemes else sns.LARGEST_MESSAGE_BYTES

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Addresses and basic authentication where they are configured, then the SNS signature."""
        if source.authentication in self.schemes:
            return super().authenticate(request, source, now=now, certificates=certificates)
        if refused := self.refuse_head(request, source, now=now):
            return refused
        if is_open(source):
            wrapped = not _is_raw(request.headers) and read_event_bridge(request.body) is None
            return sns.take_unproven(request, source.options) if wrapped else Accepted()
        if _is_raw(request.headers):
            return _raw_refusal(source) or Accepted()
        return sns.authenticate_sns(request, source.options, now=now, certificates=certificates)

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """One event for each recipient that SES reports; raises UnreadablePayload."""
        del source  # all that is read stands in the payload
        raw = _unwrapped(envelope)
        if event := read_event_bridge(raw):
            if not tells_of_a_message(event):
                return [account_event(event, raw, envelope)]
            raw = bytes(event.detail)
        return read_notification(raw, envelope)


PROVIDER = AmazonSes()


def _is_raw(headers: Mapping[str, str]) -> bool:
    return headers.get(RAW_DELIVERY_HEADER, "").strip().lower() == "true"


def _raw_refusal(source: Source) -> Refused | None:
    if not source.options.get("raw_delivery"):
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


def _unwrapped(envelope: Envelope) -> bytes:
    """What SNS carries, or the body itself where SNS has left its envelope off, or EventBridge has posted it."""
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
