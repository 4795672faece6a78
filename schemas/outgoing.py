"""What applications receive when a contact's status changes.

The feed, the messages on the exchange and the webhooks out carry the same record. `python -m schemas.outgoing` writes
schemas/status-changed.schema.json from it.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from schemas.vocabulary import Blocks, Cause, Channel, MailClass, Status

SCHEMA_FILE = Path(__file__).with_name("status-changed.schema.json")
SCHEMA_ID = "urn:bouncekeeper:schema:status-changed"


def _says(text: str) -> Meta:
    return Meta(description=text)


_Time = Annotated[datetime, Meta(tz=True)]


class HistoryLine(Struct, frozen=True, kw_only=True):
    """One status change of one contact."""

    message_id: Annotated[
        UUID, _says("The same in the feed and in every message about this change: it identifies repeated messages.")
    ]
    recorded_at: Annotated[_Time, _says("When the change was written.")]
    account: str
    channel: Channel
    address: str
    old_status: Status
    new_status: Status
    old_blocks: Annotated[Blocks, _says("Which mail was forbidden before.")]
    new_blocks: Annotated[Blocks, _says("Which mail is forbidden now.")]
    old_forbids: Annotated[tuple[MailClass, ...], _says("The same as `old_blocks`, as a list of classes of mail.")]
    new_forbids: Annotated[tuple[MailClass, ...], _says("The same as `new_blocks`, as a list of classes of mail.")]
    since: Annotated[_Time | None, _says("When the new status began; Bouncekeeper may have learnt of it later.")]
    until: Annotated[_Time | None, _says("When it ends by itself; null if time does not end it.")]
    cause: Cause
    rule: Annotated[str | None, _says("The policy's rule that decided; null if no rule was needed.")]
    event_key: Annotated[str | None, _says("Of the event that caused the change, hexadecimal.")]
    delivery_id: Annotated[UUID | None, _says("Of the webhook that caused the change, as in the log.")]
    actor: Annotated[str, _says("`events`, `time`, `policy`, `migration`, or a person.")]
    note: str | None


class StatusChanged(HistoryLine, frozen=True, kw_only=True):
    """One status change, with its place in the feed."""

    cursor: Annotated[str, _says("Its place in the feed: GET /v1/status-changes?after=… goes on from here.")]


EXAMPLE: dict[str, Any] = {
    "message_id": "0d4f6a36-5f4c-4c53-9d3c-6f0f6c7f6a11",
    "recorded_at": "2026-03-04T05:06:07.994203Z",
    "account": "default",
    "channel": "email",
    "address": "jane@example.org",
    "old_status": "active",
    "new_status": "blocklisted",
    "old_blocks": "none",
    "new_blocks": "all",
    "old_forbids": [],
    "new_forbids": ["marketing", "one_to_one", "transactional"],
    "since": "2026-03-04T05:06:05Z",
    "until": None,
    "cause": "mailbox_does_not_exist",
    "rule": "bad_mailbox",
    "event_key": "80c1a5a9d1a04f2e8b3d5c77e0f19a42",
    "delivery_id": "01a20126-e86d-7964-b8cd-90966af067f9",
    "actor": "events",
    "note": None,
    "cursor": "1042-0d4f6a36",
}


def json_schema() -> dict[str, Any]:
    """The published schema of one message. Fields may be added: readers ignore those that they do not know."""
    _, definitions = msgspec.json.schema_components([StatusChanged], ref_template="#/$defs/{name}")
    record = definitions.pop("StatusChanged")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "A contact's status has changed",
        "description": "The body of a message on the exchange bouncekeeper.contacts, and of a webhook out. Delivered "
        "at least once. Fields may be added: ignore those that you do not know.",
        "examples": [EXAMPLE],
        **{name: value for name, value in record.items() if name not in {"title", "description"}},
        "$defs": definitions,
    }


def main() -> None:
    """Writes the schema's file."""
    SCHEMA_FILE.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
