"""One event as a script reports it: the contract of the provider `bouncekeeper`.

`python -m schemas.reported_event` writes schemas/feedback.schema.json from it.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from schemas.vocabulary import Cause, Channel, Kind, Way

SCHEMA_FILE = Path(__file__).with_name("feedback.schema.json")
OWN_PROVIDER = "bouncekeeper"  # the `provider` of these events
SCHEMA_ID = "urn:bouncekeeper:schema:feedback"

# The script does not say whether the bounce was hard: its codes and words decide.
BOUNCE = "bounce"
EVENT_NAMES = (BOUNCE, *(kind.value for kind in Kind))

# Bodies as a script may post them.
EXAMPLES: list[Any] = [
    {"event": "unsubscribe", "address": "jane@example.org", "scope": "newsletter", "id": "ticket-481"},
    {
        "event": "bounce",
        "address": "jane@example.org",
        "occurred_at": "2026-03-04T11:00:00Z",
        "message_id": "20260304.1@news.example.com",
        "smtp_code": 550,
        "enhanced_status": "5.1.1",
        "diagnostic": "no such user",
        "tags": ["spring"],
        "metadata": {"customer": 12},
    },
    [
        {"smtp_code": 452, "diagnostic": "4.2.2 mailbox full", "final": True, "address": "joe@example.org"},
        {"event": "hard_bounce", "channel": "sms", "address": "+491701234567", "occurred_at": 1772622000},
    ],
    {"events": [{"event": "complaint", "address": "ann@example.org"}]},
    {"event": "declines_commercial", "address": "jane@example.org", "way": "form"},
]

_LONG, _SHORT, _WORD = 2_000, 500, 200

# More tags and longer texts are accepted and cut to these limits.
_Name = Annotated[
    str,
    Meta(
        description="What happened. An unknown word is kept as `other` and logged. With `bounce` the server's codes "
        "and words decide which bounce it was. May be left out if `smtp_code` is present: 2yz is then `delivered`, "
        "4yz `deferred` (unless `final` is true), 5yz `bounce`.",
        extra_json_schema={"enum": list(EVENT_NAMES)},
    ),
]
_Address = Annotated[
    str,
    Meta(
        description="The recipient: an e-mail address, or on channel `sms` a phone number such as +491701234567.",
        examples=["jane@example.org"],
    ),
]


class ReportedEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One event about one recipient. An unknown field makes the event malformed, so that no typo goes unnoticed."""

    event: _Name | None = None
    kind: Annotated[_Name | None, Meta(description="Another name of `event`; give one of the two.")] = None
    address: _Address | None = None
    recipient: Annotated[_Address | None, Meta(description="Another name of `address`; give one of the two.")] = None
    occurred_at: Annotated[
        str | int | float | None,
        Meta(
            description="When it happened: RFC 3339, or seconds since 1970. If missing or in the future, the time of "
            "arrival counts.",
            examples=["2026-03-04T11:00:00Z", 1772622000],
        ),
    ] = None
    id: Annotated[
        str | int | None,
        Meta(
            description="Your own id of this event, the same when you send it again. Without an id, the event is "
            "recognised by event, address, message_id, occurred_at, scope and smtp_code; without message_id and "
            "occurred_at by its bytes.",
        ),
    ] = None
    message_id: Annotated[str | None, Meta(description=f"Of the mail; {_SHORT} characters are kept.")] = None
    cause: Annotated[
        Cause | None,
        Meta(description="Why it happened, if you know: it takes precedence over the codes and words."),
    ] = None
    smtp_code: Annotated[int, Meta(ge=200, le=599, description="The reply code (RFC 5321).")] | None = None
    enhanced_status: (
        Annotated[str, Meta(pattern=r"^[245]\.\d{1,3}\.\d{1,3}$", description="The enhanced status code (RFC 3463).")]
        | None
    ) = None
    diagnostic: Annotated[
        str | None, Meta(description=f"The server's own words; {_LONG} characters are kept and read.")
    ] = None
    final: Annotated[
        bool | None,
        Meta(
            description="Whether delivery is no longer tried. False makes any bounce `deferred`, which never counts "
            "against a contact; true makes `deferred` a `bounce`.",
        ),
    ] = None
    scope: Annotated[
        str | None,
        Meta(
            description=f"A list or group that an unsubscribe is limited to, or the stream that a complaint is about. "
            f"Case does not matter. A blank name, one of more than {_WORD} characters, or with one that cannot be "
            "printed, makes the event malformed."
        ),
    ] = None
    way: Annotated[
        Way | None,
        Meta(description="How an unsubscribe, or another wish of the person, came in. `provider` if you do not know."),
    ] = None
    machine: Annotated[bool, Meta(description="An open or click made by a scanner or a privacy proxy.")] = False
    tags: Annotated[
        list[str] | str | None, Meta(description=f"One text or several; 50 of {_WORD} characters are kept.")
    ] = None
    metadata: Annotated[dict[str, Any] | None, Meta(description="Your own variables.")] = None
    campaign: Annotated[
        str | int | None,
        Meta(description=f"The campaign that the message belonged to; {_WORD} characters are kept."),
    ] = None
    channel: Annotated[Channel, Meta(description="How the contact was reached.")] = Channel.EMAIL
    account: Annotated[
        str | int | None,
        Meta(
            description='The account of the contact. Any account if the source has `account_from = "account"`. '
            "Otherwise only the account that the event would get anyway; another makes it malformed."
        ),
    ] = None


def json_schema() -> dict[str, Any]:
    """The published schema: one event, an array of them, or an object with the array in `events`.

    NDJSON has no JSON Schema of its own: each line is one event.
    """
    _, definitions = msgspec.json.schema_components([ReportedEvent], ref_template="#/$defs/{name}")
    event = {"$ref": "#/$defs/ReportedEvent"}
    several = {"type": "array", "items": event}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "What the provider bouncekeeper accepts",
        "description": "One event, an array of them, or an object with the array in `events`. An event needs an "
        "address and what happened; everything else may be left out.",
        "examples": EXAMPLES,
        "anyOf": [
            event,
            several,
            {"type": "object", "properties": {"events": several}, "required": ["events"]},
        ],
        "$defs": definitions,
    }


def main() -> None:
    """Writes the schema's file."""
    SCHEMA_FILE.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
