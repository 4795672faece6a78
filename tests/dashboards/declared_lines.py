"""A log in which every declared event occurs once, with a value in each of its fields."""

import json
from datetime import UTC, datetime, timedelta

from schemas.log_events import LOG_EVENTS
from tests.dashboards.log_pipeline import LogLine, collected

AT = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)
DELIVERY = "01a20126-e86d-7964-b8cd-90966af067f9"
CONTACT = 5
_NUMBER = 3
# Fields that tell of a thing in words; all others are given a number, which reads as a text too.
_WORDS = {"old_blocks": "none", "new_blocks": "all", "contact_id": CONTACT}


def declared_lines() -> list[LogLine]:
    """A second apart, and one more `status.changed`, of a contact that was freed."""
    records = [
        {"level": event.level, "event": name, "delivery_id": DELIVERY}
        | {field: _WORDS.get(field, _NUMBER) for field in sorted(event.fields)}
        for name, event in LOG_EVENTS.items()
    ]
    (changed,) = [record for record in records if record["event"] == "status.changed"]
    records.append({**changed, "old_blocks": "all", "new_blocks": "none"})
    return collected(
        json.dumps({"timestamp": (AT + timedelta(seconds=number)).isoformat(), **record})
        for number, record in enumerate(records)
    )
