"""Writes one event to the database, as a good Django programmer would do it with psycopg.

Contacts and changes of status go to the tables of Bouncekeeper, events whole to one wide table of the peer's own.

One connection per thread that stays open, statements prepared once, upserts instead of look-ups, the fewest
statements that do it, and one transaction: per event, or (PEER_TRANSACTION=request) per webhook.
"""

import json
import os
import re
import threading
import uuid
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import psycopg
from anymail.signals import AnymailTrackingEvent, tracking
from anymail.webhooks.base import AnymailCoreWebhookView
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from psycopg.types.json import Jsonb

_ACCOUNT = "default"
_CHANNEL = "email"

_KINDS = {
    "queued": "accepted",
    "deferred": "deferred",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complaint",
    "unsubscribed": "unsubscribe",
    "subscribed": "resubscribe",
    "rejected": "dropped",
}
_CAUSE_OF_TYPE = {
    "complained": "abuse_report",
    "deferred": "greylisted",
    "rejected": "suppressed_by_provider",
}
_CAUSES = {
    "invalid address": "mailbox_does_not_exist",
    "mailbox unavailable": "mailbox_full",
    "reputation": "sender_reputation",
    "content": "content",
    "technical failure": "server_unavailable",
    "technical": "server_unavailable",
}
_GRAVITY = {"new": 0, "active": 1, "soft_bouncing": 2, "unsubscribed": 3, "blocklisted": 4, "complained": 5}
_STATUS_OF_KIND = {
    "delivered": "active",
    "opened": "active",
    "clicked": "active",
    "soft_bounce": "soft_bouncing",
    "hard_bounce": "blocklisted",
    "complaint": "complained",
    "unsubscribe": "unsubscribed",
}
_BLOCKS = {"blocklisted": "all", "complained": "all", "unsubscribed": "marketing"}
_REPLY = re.compile(r"(?P<code>[245]\d\d)[ -](?P<status>[245]\.\d{1,3}\.\d{1,3})?")

_UPSERT_CONTACT = """
    INSERT INTO contacts AS c (account, channel, address, status, first_seen_at, last_delivered_at,
        last_delivered_message, last_opened_at, last_clicked_at, latest_at, latest_key)
    VALUES (%(account)s, %(channel)s, %(address)s, 'new', %(occurred_at)s, %(delivered_at)s, %(delivered_message)s,
        %(opened_at)s, %(clicked_at)s, %(occurred_at)s, %(event_key)s)
    ON CONFLICT (address, account, channel) DO UPDATE SET
        last_delivered_at = GREATEST(c.last_delivered_at, EXCLUDED.last_delivered_at),
        last_delivered_message = COALESCE(EXCLUDED.last_delivered_message, c.last_delivered_message),
        last_opened_at = GREATEST(c.last_opened_at, EXCLUDED.last_opened_at),
        last_clicked_at = GREATEST(c.last_clicked_at, EXCLUDED.last_clicked_at),
        latest_at = GREATEST(c.latest_at, EXCLUDED.latest_at),
        latest_key = EXCLUDED.latest_key
    RETURNING c.id, c.status, c.facts_detail
"""
_INSERT_EVENT = """
    INSERT INTO events (occurred_at, event_key, contact_id, kind, cause, provider, source, vendor_event, message_id,
        smtp_code, enhanced_status, diagnostic, scope, machine, received_at, delivery_id, tags, metadata, raw)
    VALUES (%(occurred_at)s, %(event_key)s, %(contact_id)s, %(kind)s, %(cause)s, %(provider)s, %(source)s,
        %(vendor_event)s, %(message_id)s, %(smtp_code)s, %(enhanced_status)s, %(diagnostic)s, NULL, %(machine)s,
        %(received_at)s, %(delivery_id)s, %(tags)s, %(metadata)s, %(raw)s)
    ON CONFLICT (occurred_at, event_key) DO NOTHING
"""
_UPDATE_CONTACT = """
    UPDATE contacts SET status = %(status)s, blocks = %(blocks)s, status_since = %(occurred_at)s,
        cause = %(cause)s, status_event_key = %(event_key)s, facts_detail = %(facts_detail)s
     WHERE id = %(contact_id)s
"""
_INSERT_CHANGE = """
    INSERT INTO status_changes (contact_id, recorded_at, since, old_status, new_status, old_blocks, new_blocks, cause,
        event_key, delivery_id, actor)
    VALUES (%(contact_id)s, now(), %(occurred_at)s, %(old_status)s, %(status)s, %(old_blocks)s, %(blocks)s, %(cause)s,
        %(event_key)s, %(delivery_id)s, 'events')
"""
_local = threading.local()


def _connection() -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] | None = getattr(_local, "connection", None)
    if connection is None or connection.closed:
        connection = psycopg.connect(os.environ["PEER_DSN"], autocommit=True, prepare_threshold=0)
        _local.connection = connection
    return connection


if os.environ.get("PEER_TRANSACTION") == "request":
    # What ATOMIC_REQUESTS does for Django's own connection, for ours.
    _post = AnymailCoreWebhookView.post

    def _post_in_transaction(
        self: AnymailCoreWebhookView, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        with _connection().transaction():
            return _post(self, request, *args, **kwargs)

    AnymailCoreWebhookView.post = _post_in_transaction


@receiver(tracking)
def handle_tracking(event: AnymailTrackingEvent, esp_name: str, **_: Any) -> None:
    """Stores the event, its contact's facts and status, and what follows from a changed status."""
    connection = _connection()
    values = _values(event, esp_name)
    if os.environ.get("PEER_TRANSACTION") == "request":
        _write(connection, values)
    else:
        with connection.transaction():
            _write(connection, values)


def _values(event: AnymailTrackingEvent, esp_name: str) -> dict[str, Any]:
    esp_event = event.esp_event
    occurred_at = event.timestamp or datetime.now(UTC)
    kind, cause, vendor_event, message_id, identity = _ESPS[esp_name](event)
    reply = _REPLY.search(event.mta_response or "")
    return {
        "account": _ACCOUNT,
        "channel": _CHANNEL,
        "address": event.recipient.lower(),
        "occurred_at": occurred_at,
        "event_key": blake2b(identity.encode(), digest_size=16).digest(),
        "kind": kind,
        "cause": cause,
        "provider": esp_name.lower(),
        "source": esp_name.lower(),
        "vendor_event": vendor_event,
        "message_id": message_id,
        "smtp_code": int(reply["code"]) if reply else None,
        "enhanced_status": esp_event.get("status") or (reply["status"] if reply else None),
        "diagnostic": event.mta_response,
        "machine": bool(esp_event.get("sg_machine_open")),
        "received_at": datetime.now(UTC),
        "delivery_id": uuid.uuid4(),
        "tags": [event.tags] if isinstance(event.tags, str) else event.tags or None,
        "metadata": Jsonb(event.metadata) if event.metadata else None,
        "raw": json.dumps(esp_event).encode(),
        "delivered_at": occurred_at if kind == "delivered" else None,
        "delivered_message": message_id if kind == "delivered" else None,
        "opened_at": occurred_at if kind == "opened" else None,
        "clicked_at": occurred_at if kind == "clicked" else None,
    }


def _of_sendgrid(event: AnymailTrackingEvent) -> tuple[str, str, str, str, str]:
    """Kind, cause, the vendor's own words, message id, and what the event is recognised by."""
    esp_event = event.esp_event
    vendor_event = "/".join(filter(None, (esp_event["event"], esp_event.get("type"))))
    message_id = esp_event["sg_message_id"].partition(".")[0]
    if event.event_type != "bounced":
        kind, cause = _KINDS.get(event.event_type, "other"), _CAUSE_OF_TYPE.get(event.event_type, "none")
        return kind, cause, vendor_event, message_id, event.event_id
    cause = _CAUSES.get(esp_event.get("bounce_classification", "").lower(), "undetermined")
    if cause in {"sender_reputation", "content"}:
        kind = "blocked"
    else:
        hard = esp_event.get("type") == "bounce" and cause == "mailbox_does_not_exist"
        kind = "hard_bounce" if hard else "soft_bounce"
    return kind, cause, vendor_event, message_id, event.event_id


def _of_postmark(event: AnymailTrackingEvent) -> tuple[str, str, str, str, str]:
    """The same for Postmark, which gives an id of its own to bounces only."""
    esp_event = event.esp_event
    vendor_event = "/".join(filter(None, (esp_event["RecordType"], esp_event.get("Type"))))
    identity = event.event_id or f"{vendor_event} {event.message_id} {event.recipient} {event.timestamp}"
    if event.event_type != "bounced":
        kind, cause = _KINDS.get(event.event_type, "other"), _CAUSE_OF_TYPE.get(event.event_type, "none")
    elif esp_event["Type"] == "HardBounce":
        kind, cause = "hard_bounce", "mailbox_does_not_exist"
    else:
        kind, cause = "soft_bounce", "undetermined"
    return kind, cause, vendor_event, event.message_id, identity


_ESPS = {"SendGrid": _of_sendgrid, "Postmark": _of_postmark}


def _write(connection: psycopg.Connection[Any], values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        row = cursor.execute(_UPSERT_CONTACT, values).fetchone()
        contact_id, old_status, facts_detail = row if row is not None else (None, "new", None)
        values["contact_id"] = contact_id
        cursor.execute(_INSERT_EVENT, values)
        if cursor.rowcount == 0:  # a duplicate
            return
        status = _STATUS_OF_KIND.get(values["kind"], old_status)
        if _GRAVITY[status] < _GRAVITY[old_status]:
            status = old_status
        if status == old_status and values["kind"] != "soft_bounce":
            return
        facts = json.loads(facts_detail) if facts_detail else {"strikes": []}
        if values["kind"] in {"soft_bounce", "hard_bounce"}:
            strike = {"at": values["occurred_at"].isoformat(), "kind": values["kind"], "cause": values["cause"]}
            facts["strikes"].append({**strike, "message_id": values["message_id"]})
        values["status"] = status
        values["blocks"] = _BLOCKS.get(status, "none")
        values["facts_detail"] = json.dumps(facts).encode() if facts["strikes"] else None
        cursor.execute(_UPDATE_CONTACT, values)
        if status == old_status or {status, old_status} <= {"new", "active"}:
            return
        values["old_status"] = old_status
        values["old_blocks"] = _BLOCKS.get(old_status, "none")
        cursor.execute(_INSERT_CHANGE, values)  # which others are told of from this row, as with ours
