"""A make-believe SparkPost: batches in `msys` envelopes; it signs nothing, and shows user and password."""

from hashlib import blake2b
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.sparkpost import SAMPLE_ADDRESS
from worker.samples.posting import basic, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_BATCH = 100

_NAMES: dict[Kind, tuple[str, str]] = {
    Kind.ACCEPTED: ("message_event", "injection"),
    Kind.DELIVERED: ("message_event", "delivery"),
    Kind.DEFERRED: ("message_event", "delay"),
    Kind.SOFT_BOUNCE: ("message_event", "bounce"),
    Kind.HARD_BOUNCE: ("message_event", "bounce"),
    Kind.BLOCKED: ("message_event", "bounce"),
    Kind.DROPPED: ("message_event", "bounce"),
    Kind.COMPLAINT: ("message_event", "spam_complaint"),
    Kind.OPENED: ("track_event", "open"),
    Kind.CLICKED: ("track_event", "click"),
    Kind.UNSUBSCRIBE: ("unsubscribe_event", "list_unsubscribe"),
    Kind.RESUBSCRIBE: ("gen_event", "generation_failure"),  # SparkPost has no word for it
    Kind.OTHER: ("relay_event", "relay_delivery"),
}
_CLASSES: dict[Cause, str] = {
    Cause.DOMAIN_DOES_NOT_EXIST: "21",
    Cause.DNS_FAILURE: "21",
    Cause.MAILBOX_FULL: "22",
    Cause.MESSAGE_TOO_LARGE: "23",
    Cause.EXPIRED: "24",
    Cause.SENDER_REPUTATION: "51",
    Cause.CONTENT: "52",
    Cause.SENDER_CONFIGURATION: "54",
}
_CLASS_BY_KIND: dict[Kind, str] = {
    Kind.DEFERRED: "20",
    Kind.SOFT_BOUNCE: "40",
    Kind.HARD_BOUNCE: "10",
    Kind.BLOCKED: "50",
    Kind.DROPPED: "25",
}
_SUPPRESSED = "554 5.7.1 recipient address was suppressed due to customer policy"
_RULES: dict[Cause, str] = {
    Cause.COMPLAINED_AT_PROVIDER: " (Spam Complaint Rule)",
    Cause.UNSUBSCRIBED_AT_PROVIDER: " (Unsubscribe Rule)",
}


class SparkPostSamples(UntimedVendor):
    """Batches of a hundred events."""

    provider: ClassVar[str] = "sparkpost"
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def make_secret(self, made_up: str) -> str:
        """User and password, as entered under Basic Auth."""
        return f"sparkpost:{made_up[:40]}"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_element(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """User and password; beside them the batch's id."""
        return {**basic(self.secret), "x-messagesystems-batch-id": blake2b(body, digest_size=16).hexdigest()}


def sample_element(event: SampleEvent) -> dict[str, Any]:
    """The event as one element of SparkPost's array; numbers are texts there."""
    group, name = _NAMES[event.kind]
    domain = event.address.rpartition("@")[2]
    values: dict[str, Any] = {
        "type": name,
        "event_id": event.vendor_event_id or str(int(made_up_id(event)[:15], 16)),
        "timestamp": str(int(event.occurred_at.timestamp())),
        "message_id": event.message_id,
        "transmission_id": "65832150921904138",
        "rcpt_to": SAMPLE_ADDRESS if event.cause is Cause.TEST else event.address,
        "raw_rcpt_to": event.address,
        "rcpt_type": "to",
        "rcpt_tags": list(event.tags),
        "rcpt_meta": event.metadata or {},
        "customer_id": "1",
        "subaccount_id": "101",
        "friendly_from": "news@example.org",
        "msg_from": "bounces@mail.example.org",
        "routing_domain": domain,
        "ip_pool": "shared",
        "sending_ip": "192.0.2.40",
        "subject": "Hello",
    }
    if event.kind in _CLASS_BY_KIND:
        values |= _failure(event)
    elif event.kind is Kind.COMPLAINT:
        report = "fraud" if event.cause is Cause.FRAUD_REPORT else "abuse"
        values |= {"fbtype": report, "report_by": f"fbl.{domain}", "report_to": "abuse@example.org", "user_str": ""}
    elif event.kind in {Kind.OPENED, Kind.CLICKED}:
        values |= {
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
            "user_agent_parsed": {"is_prefetched": event.machine},
            "ip_address": "198.51.100.7",
        }
        if event.kind is Kind.CLICKED:
            values["target_link_url"] = "https://example.org/offer"
    return {"msys": {group: values}}


def _failure(event: SampleEvent) -> dict[str, Any]:
    reply = reply_for(event)
    if event.kind is Kind.DROPPED:
        code, words = "554", event.diagnostic or _SUPPRESSED + _RULES.get(event.cause, "")
    else:
        code, words = (str(reply.smtp_code), reply.line) if reply else ("", "")
    usual = _CLASS_BY_KIND[event.kind]
    number = usual if event.kind is Kind.DROPPED else _CLASSES.get(event.cause, usual)
    return {
        "bounce_class": number,
        "error_code": code,
        "reason": words,
        "raw_reason": words,
        "num_retries": "0",
    }


SENDERS = (SparkPostSamples,)
