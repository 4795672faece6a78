"""Scaleway Transactional Email: one event a message, published to a topic that speaks SNS and posts to us.

https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads

How often a topic of Scaleway's tries again is not documented, nor which headers it sends; none is needed here.
"""

import re
from typing import Any

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import QueryToken
from worker.providers.authentication.scheme import is_open
from worker.providers.bound_source import BoundSource
from worker.providers.classification.failure import classify
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.sns_endpoints import confirms_topic

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.scaleway.com/en/docs/topics-and-events/reference-content/verifying-webhooks
# The signing certificate is in a bucket of Scaleway for all regions, is renewed each year, and must be issued by the
# authority that each region publishes. A topic's ARN names its region, and `topics` lists the allowed ARNs.

TOPIC_ARN = re.compile(r"arn:scw:sns:(?P<region>[a-z]{2}-[a-z]{3}):[A-Za-z0-9-]{1,64}:[A-Za-z0-9_.-]{1,256}")

_CERTIFICATES = "https://messaging.s3.fr-par.scw.cloud/"
_CERTIFICATE_URL = re.compile(re.escape(_CERTIFICATES) + r"(?:[A-Za-z0-9_-]{1,100}/){1,3}[A-Za-z0-9_-]{1,200}\.pem")
_SUBSCRIBE_URL = re.compile(r"https://sns\.mnq\.[a-z]{2}-[a-z]{3}\.scaleway\.com/\?(?P<query>[A-Za-z0-9%&=:._~+/-]+)")


def issuers_url(topic_arn: str) -> str:
    """The URL of the authority of a topic's region."""
    matched = TOPIC_ARN.fullmatch(topic_arn)
    return f"{_CERTIFICATES}{matched['region'] if matched else 'fr-par'}/sns/sns-trust-chain.pem"


class ScalewayEndpoints(Struct, frozen=True):
    """Where Topics and Events keeps its certificates and takes confirmations."""

    @property
    def where(self) -> str:
        """The hosts."""
        return "Scaleway's Topics and Events"

    def is_certificate_url(self, url: str) -> bool:
        """True only for a file in Scaleway's own bucket."""
        return _CERTIFICATE_URL.fullmatch(url) is not None

    def is_subscribe_url(self, url: str, topic_arn: str) -> bool:
        """True only for a region's confirmation of exactly this topic."""
        return confirms_topic(_SUBSCRIBE_URL.fullmatch(url), topic_arn)

    def issuers_url(self, topic_arn: str) -> str:
        """The authority of the topic's region."""
        return issuers_url(topic_arn)


ENDPOINTS = ScalewayEndpoints()

# -- What its events are, and why ----------------------------------------------------------------------------
# https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "email_queued": (Kind.ACCEPTED, Cause.NONE),
    "email_delivered": (Kind.DELIVERED, Cause.NONE),
    "email_deferred": (Kind.DEFERRED, Cause.UNDETERMINED),  # refused for now, and tried again
    "email_dropped": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),  # refused for good; the server's reply says why
    "email_mailbox_not_found": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    # A filter's word, Scaleway's own or the receiving server's, or a reader's: not to be told apart, so no complaint.
    "email_spam": (Kind.BLOCKED, Cause.CONTENT),
    "email_blocklisted": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "blocklist_created": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),  # the echo of the bounce that it follows
    "unknown_type": (Kind.OTHER, Cause.NONE),
}
_REFINED = frozenset({"email_deferred", "email_dropped"})

# -- How it is read ------------------------------------------------------------------------------------------
# The event is a text inside of the SNS message: JSON in JSON.


def check_topics(source: Source) -> list[str]:
    """What is wrong in a source: above all a missing topic, without which every topic may speak."""
    if is_open(source):
        return []
    problems = []
    topics = sns.TOPICS.of(source)
    if not topics:
        problems.append(
            "topics is empty: list the ARNs of your topics, because a good signature proves only that somebody "
            "at Scaleway sent a message"
        )
    problems += [
        f"topics: {topic!r} is no ARN of a topic at Scaleway: copy it from the console "
        "(arn:scw:sns:fr-par:project-…:name)"
        for topic in topics
        if not TOPIC_ARN.fullmatch(topic)
    ]
    return problems + sns.check_proof_options(source, ENDPOINTS)


def tailor(bound: BoundSource) -> BoundSource:
    """Proves by the signature of SNS, and by the URL's token where it is configured."""
    return sns.prove_by_sns(bound, sns.sns_proof(bound.source, ENDPOINTS, QueryToken()), ENDPOINTS)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event inside; raises UnreadablePayload."""
    message = sns.read_sns_message(envelope.body)
    if message.type != sns.NOTIFICATION:
        raise UnreadablePayload(f"SNS message: a {message.type[:40]} carries no feedback")
    raw = message.message.encode("utf-8", "surrogatepass")
    values = json_payload.decode_object(raw, "Scaleway event")
    return [_read_event(values, raw, message.message_id, envelope)]


def _read_event(values: dict[str, Any], raw: bytes, message_id: str, envelope: Envelope) -> FeedbackEvent:
    name, address = json_payload.text(values, "type", json_payload.WORD_LIMIT), values.get("email_to")
    if name is None or (name in EVENTS and name != "unknown_type" and not isinstance(address, str)):
        raise UnreadablePayload("Scaleway event: it has no type, or names nobody in email_to")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    diagnostic = json_payload.text(values, "email_response_message") or json_payload.text(values, "email_error")
    code = json_payload.integer(values, "email_response_code")
    failure = None
    if kind in {Kind.DEFERRED, Kind.HARD_BOUNCE, Kind.BLOCKED}:
        failure = classify(
            smtp_code=code,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=kind is not Kind.DEFERRED,
            recipient=json_payload.text(values, "email_to"),
        )
        if name in _REFINED and failure.cause is not Cause.UNDETERMINED:
            kind, cause = kind if kind is Kind.DEFERRED else failure.kind, failure.cause
        elif CAUSE_BLAME[failure.cause] is Blame.SENDER and (kind is Kind.BLOCKED or failure.cause is not Cause.POLICY):
            # Nor is a mailbox missing whose server plainly refuses the sender.
            kind, cause = Kind.BLOCKED, failure.cause
    listed = json_payload.text(values, "blocklist_type", json_payload.WORD_LIMIT)
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(json_payload.text(values, "id") or message_id,),
        address=address if isinstance(address, str) else None,
        vendor_event=f"{name}/{listed}" if listed else name,
        recognised=name in EVENTS,
        vendor_time=from_iso(values.get("created_at")),
        failure=failure,
        message_id=json_payload.text(values, "email_id", json_payload.MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        metadata=_headers(values),
    )


def _headers(values: dict[str, Any]) -> dict[str, Any] | None:
    """The sender's own headers of the mail (those that begin with X-), which Scaleway has instead of variables."""
    headers = values.get("email_headers")
    if not isinstance(headers, list):
        return None
    usable_headers = [
        header for header in headers[:100] if isinstance(header, dict) and isinstance(header.get("key"), str)
    ]
    return json_payload.metadata(
        {header["key"]: header.get("value") for header in usable_headers if header["key"].lower().startswith("x-")}
    )


PROVIDER = Provider(
    name="scaleway_tem",
    title="Scaleway Transactional Email",
    documentation="https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads",
    proof="signature of SNS, its issuer, and the topic",
    later_status=sns.LATER_STATUS,
    secret_help=(
        "none is needed: Topics and Events signs, and `topics` lists the ARNs that may speak. A secret adds a token in "
        "the subscription's URL, as in ?token=…"
    ),
    own_proof=True,
    needs_secret=sns.needs_no_secret,
    options=sns.PROOF_OPTIONS,
    account_paths={"subaccount": "project_id", "sending_domain": "domain_name"},
    vocabulary=EVENTS,
    parse=parse,
    tailor=tailor,
    check_also=check_topics,
)
