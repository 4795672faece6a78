"""A make-believe ZeptoMail that signs the JSON as the real one does."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from schemas.vocabulary import Kind
from worker.providers.vendors.zeptomail import EVENTS, SIGNATURE_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

# ZeptoMail has no more words than these.
_NAMES: dict[Kind, str] = {
    **{kind: name for name, (kind, _) in reversed(EVENTS.items())},
    Kind.ACCEPTED: "delivered",
    Kind.DEFERRED: "softbounce",
    Kind.BLOCKED: "hardbounce",
    Kind.DROPPED: "softbounce",
    Kind.UNSUBSCRIBE: "fbl_compliant",
}


class ZeptoMailSamples(MakeBelieveVendor):
    """One request for each event, as JSON; `as_form` gives the other form of it."""

    provider: ClassVar[str] = "zeptomail"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(json.dumps(sample_values(event)).encode(), now=now) for event in events]

    def signed(self, payload: bytes, *, now: datetime, with_time: bool = False) -> WebhookRequest:
        """The POST of this JSON; `with_time` signs the time before it."""
        return post(self.provider, payload, self._headers(payload, now, with_time=with_time))

    def as_form(self, values: Mapping[str, Any], *, now: datetime) -> WebhookRequest:
        """The POST of these values in the only field of a form; what is signed is their JSON."""
        payload = json.dumps(values).encode()
        body = urlencode({"payload": payload}).encode()
        form = "application/x-www-form-urlencoded"
        return post(self.provider, body, self._headers(payload, now, with_time=False), content_type=form)

    def _headers(self, payload: bytes, now: datetime, *, with_time: bool) -> dict[str, str]:
        time = str(int(now.timestamp() * 1000))
        message = time.encode() + payload if with_time else payload
        digest = base64.b64encode(hmac.digest(self.secret.encode(), message, "sha256")).decode()
        return {SIGNATURE_HEADER: f"ts={time};s={quote(digest, safe='')};s-algorithm=HmacSHA256"}


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as ZeptoMail writes it."""
    name = _NAMES.get(event.kind, "email_open")
    detail: dict[str, Any] = {"time": event.occurred_at.isoformat(timespec="microseconds")}
    if name in ("softbounce", "hardbounce"):
        reply = reply_for(event)
        detail |= {
            "bounced_recipient": event.address,
            "reason": reply.text if reply is not None else "",
            "diagnostic_message": reply.line if reply is not None else "",
        }
    elif name == "fbl_compliant":
        detail["to"] = event.address
    return {
        "event_name": [name],
        "event_message": [
            {
                "request_id": event.message_id,
                "email_info": {
                    "email_reference": f"{event.message_id}.reference",
                    "client_reference": "order-77",
                    "subject": "Hello",
                    "from": {"address": "news@example.org", "name": "Shop"},
                    "to": [{"email_address": {"address": event.address, "name": ""}}],
                    "processed_time": event.occurred_at.isoformat(),
                },
                "event_data": [{"object": name, "details": [detail]}],
            }
        ],
        "mailagent_key": "agent-1",
        "webhook_request_id": made_up_id(event),
    }


SENDERS = (ZeptoMailSamples,)
