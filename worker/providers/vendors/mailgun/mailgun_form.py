"""Mailgun's older webhooks: one event as a form, translated into the shape of today's webhooks.

Sources: the page that Mailgun printed until 2018, github.com/mailgun/documentation source/user_manual.rst ("Tracking
Deliveries", "Tracking Failures"). Accounts that never renewed their webhooks still send these. The event's
time is the signed one, and it is not documented whether a retry is signed again: so the time distinguishes only events
that may repeat (an open, a click).

The sender's own variables are among Mailgun's fields. If one has the name of a field, the field comes first, but
timestamp, token and signature come last.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from worker.errors import UnreadablePayload
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, text
from worker.providers.payload.multipart_payload import decode_any_form_pairs, pick_any_form_pairs

_CONTENT_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_SIGNATURE_FIELDS = ("timestamp", "token", "signature")
_ATTACHMENT = "attachment-"  # the bounced mail itself, among others
_TAG_FIELDS = ("tag", "X-Mailgun-Tag")
_VENDOR_FIELDS = frozenset(
    {
        *_SIGNATURE_FIELDS,
        *_TAG_FIELDS,
        *("event", "recipient", "domain", "message-headers", "Message-Id", "message-id", "X-Mailgun-Sid"),
        *("code", "error", "notification", "reason", "description", "mailing-list", "body-plain"),
        *("campaign-id", "campaign-name", "ip", "country", "region", "city", "url", "user-agent"),
        *("device-type", "client-type", "client-name", "client-os", "attachment-count", "message-url"),
    }
)
# Former names of `failed`, and the reason that each stands for.
_FAILURES: dict[str, str] = {"bounced": "bounce", "dropped": ""}
_REPEATABLE = frozenset({"opened", "clicked"})

Form = dict[str, Any]  # a text for each field, an array of texts if its name repeats


def is_form(body: bytes, content_type: str) -> bool:
    """True for the two content types of forms; curl sends JSON as a form too, which is read as JSON."""
    return content_type.lower().startswith(_CONTENT_TYPES) and not body.lstrip().startswith(b"{")


def read_form(body: bytes, content_type: str) -> Form:
    """The form's fields without its attachments; raises UnreadablePayload."""
    pairs = decode_any_form_pairs(body, content_type, "Mailgun webhook")
    return _gathered((name, value) for name, value in pairs if _counts(name))


def read_signature(body: bytes, content_type: str) -> dict[str, str]:
    """Time, token and signature, the last ones of their names; nothing else of the form is read.

    Raises UnreadablePayload.
    """
    return signature_fields(_gathered(pick_any_form_pairs(body, content_type, "Mailgun webhook", _SIGNATURE_FIELDS)))


def _counts(name: str) -> bool:
    return not name.startswith(_ATTACHMENT) or name == "attachment-count"


def _gathered(pairs: Iterable[tuple[str, bytes]]) -> Form:
    form: Form = {}
    for name, value in pairs:
        words = value.decode("utf-8", "replace")
        if name not in form:
            form[name] = words
        elif isinstance(form[name], list):
            form[name].append(words)
        else:
            form[name] = [form[name], words]
    return form


def signature_fields(form: Form) -> dict[str, str]:
    """Time, token and signature: the last ones of their names."""
    return {name: _values(form, name)[-1] for name in _SIGNATURE_FIELDS if name in form}


def without_signature(form: Form) -> Form:
    """The form without token and signature; its timestamp is also the event's time."""
    return {name: value for name, value in form.items() if name not in _SIGNATURE_FIELDS[1:]}


def event_in_todays_shape(form: Form) -> dict[str, Any]:
    """The form as Mailgun would write it today under `event-data`; raises UnreadablePayload if it names no event."""
    fields = {name: _values(form, name)[0] for name in form}
    name = fields.get("event")
    if not name:
        raise UnreadablePayload("Mailgun webhook: the form names no event")
    code = fields.get("code", "")
    message_id = text(fields, "Message-Id", MESSAGE_ID_LIMIT) or text(fields, "message-id", MESSAGE_ID_LIMIT)
    values: dict[str, Any] = {
        "event": name,
        "recipient": fields.get("recipient"),
        "timestamp": signature_fields(form).get("timestamp"),
        "message": {"headers": {"message-id": message_id}},
        "tags": [tag for field in _TAG_FIELDS for tag in _values(form, field)],
        "user-variables": {name: value for name, value in form.items() if name not in _VENDOR_FIELDS},
        "delivery-status": {
            "code" if code.isdecimal() else "enhanced-code": code,
            "message": fields.get("error") or fields.get("notification") or fields.get("description"),
        },
    }
    if name in _FAILURES:
        reason = fields.get("reason") or _FAILURES[name]
        values |= {"event": "failed", "severity": "permanent", "reason": reason}
    return values


def vendor_words(form: Form) -> str:
    """The form's own name of its event: "bounced", "dropped/hardfail"."""
    words = [
        text({"word": _values(form, field)[0]}, "word", WORD_LIMIT) for field in ("event", "reason") if field in form
    ]
    return "/".join(word for word in words if word)


def key_parts(form: Form, raw: bytes) -> tuple[str | bytes | None, ...]:
    """The identity of the event: a form has no id for it."""
    fields = {name: _values(form, name)[0] for name in form}
    message_id = fields.get("Message-Id") or fields.get("message-id")
    if not message_id:
        return (raw,)
    parts = (fields.get("event"), message_id.strip("<> "), fields.get("recipient"), fields.get("code"))
    if fields.get("event") not in _REPEATABLE:
        return parts
    return (*parts, signature_fields(form).get("timestamp"), fields.get("url"), fields.get("ip"))


def as_json(form: Form) -> bytes:
    """The form without its signature, as a JSON object: the raw bytes of the event."""
    return msgspec.json.encode(without_signature(form))


def _values(form: Form, name: str) -> list[str]:
    value = form.get(name, [])
    return value if isinstance(value, list) else [value]
