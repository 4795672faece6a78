"""AhaSend: one JSON object a webhook, signed by Standard Webhooks with a key that is used as it stands.

https://ahasend.com/docs/api-reference/webhooks and its description of the events in
https://github.com/AhaSend/docs/blob/main/webhooks.yaml. Neither codes nor words of the receiving server are told, nor
complaints and unsubscribes. `message.failed` is called a hard bounce there, and comes as well when AhaSend has given up
on an address that was only out of reach: it counts as soft. `message.reception` comes for inbound mail too.
"""

from collections.abc import Mapping
from typing import ClassVar

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.scheme import Scheme
from worker.providers.authentication.standard_webhooks import ID_HEADERS, StandardWebhooks
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, child, text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.webhook_provider import WebhookProvider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://ahasend.com/docs/api-reference/webhooks/security

SCHEMES: dict[str, Scheme] = {"": StandardWebhooks(raw_secret=True)}

# -- What its events are, and why ----------------------------------------------------------------------------
# https://ahasend.com/docs/api-reference/webhooks. There are no classes of failure.

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "message.reception": (Kind.ACCEPTED, Cause.NONE),
    "message.delivered": (Kind.DELIVERED, Cause.NONE),
    "message.transient_error": (Kind.DEFERRED, Cause.UNDETERMINED),
    "message.failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # refused for good, or given up: it does not say which
    "message.bounced": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),  # a bounce came back
    "message.suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.opened": (Kind.OPENED, Cause.NONE),
    "message.clicked": (Kind.CLICKED, Cause.NONE),
    "suppression.created": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),  # for a month, after bounces told before
    "domain.dns_error": (Kind.OTHER, Cause.NONE),
    "message.routing": (Kind.OTHER, Cause.NONE),  # mail to us: its addresses are no contact's feedback
    "route.message": (Kind.OTHER, Cause.NONE),  # as that was called before
}

# -- How it is read ------------------------------------------------------------------------------------------


class AhaSend(WebhookProvider):
    """See worker.providers.webhook_provider.WebhookProvider."""

    name: ClassVar[str] = "ahasend"
    title: ClassVar[str] = "AhaSend"
    documentation: ClassVar[str] = "https://ahasend.com/docs/api-reference/webhooks"
    proof: ClassVar[str] = "HMAC-SHA256 of id, time and body (Standard Webhooks)"
    secret_help: ClassVar[str] = "the webhook's secret as it stands, aha-whsec- included: Webhooks, the webhook"  # noqa: S105 - says where to find it
    schemes: ClassVar[Mapping[str, Scheme]] = SCHEMES
    kept_headers: ClassVar[frozenset[str]] = frozenset(ID_HEADERS)
    account_paths: ClassVar[Mapping[str, str]] = {
        "subaccount": "data.account_id",
        "sending_domain": "data.from || data.sending_domain",
    }
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = EVENTS

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """The one event of the body; raises UnreadablePayload."""
        del source  # all that is read stands in the payload and in the event's id
        values = json_payload.decode_object(envelope.body, "AhaSend webhook")
        name = text(values, "type", WORD_LIMIT)
        if name is None:
            raise UnreadablePayload("AhaSend webhook: it has no type")
        data = child(values, "data")
        kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
        # The body's `webhook_id` is the same for all that one webhook posts; the event's own id is in the headers.
        event_id = next((envelope.headers[header] for header in ID_HEADERS if envelope.headers.get(header)), None)
        return [
            new_event(
                envelope,
                envelope.body,
                kind=kind,
                cause=cause,
                key=(event_id or envelope.body, name),
                address=text(data, "recipient"),
                vendor_event=name,
                recognised=name in EVENTS,
                vendor_time=from_iso(values.get("timestamp")),
                message_id=text(data, "message_id_header", MESSAGE_ID_LIMIT) or text(data, "id", MESSAGE_ID_LIMIT),
                diagnostic=text(data, "reason"),
                machine=json_payload.flag(data, "is_bot"),
            )
        ]


PROVIDER = AhaSend()
