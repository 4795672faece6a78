"""The line about a changed status tells what a dashboard counts by, and no address."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.log_events import LOG_EVENTS
from schemas.mailbox_provider import MAILBOX_PROVIDERS, mailbox_provider
from schemas.vocabulary import Cause, Channel, Kind
from tests.captured_lines import capture_logs
from tests.contacts.test_applying import apply
from tests.schemas.feedback_events import make_event
from worker.contacts.contact_state import UNKNOWN_STANDING
from worker.contacts.status_change import report_changes, status_change
from worker.store.contact_rows import ContactKey
from worker.store.pool import WriterPool


def lines_of(changes: Any) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        report_changes(changes)
    return [dict(line) for line in lines]


async def test_a_change_that_a_webhook_brought_names_its_source_domain_and_age(pool: WriterPool) -> None:
    event = make_event(
        Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        address="jane@gmail.com",
        day=399,
        received_at=datetime.now(UTC) - timedelta(seconds=90),
    )
    applied = await apply(pool, [event])
    assert applied.changes
    (line,) = lines_of(applied.changes)
    assert (line["source"], line["provider"]) == (event.source, event.provider)
    assert (line["domain"], line["mailbox_provider"]) == ("gmail.com", "google")
    assert (line["old_blocks"], line["new_blocks"]) == ("none", "all")
    assert 90 <= line["age_seconds"] < 300
    assert "jane" not in str(line)
    assert set(line) - {"event", "log_level", "delivery_id"} == LOG_EVENTS["status.changed"].fields


def change_of(contact: ContactKey) -> dict[str, Any]:
    """The line of a change that no webhook brought."""
    change = status_change(
        UNKNOWN_STANDING, UNKNOWN_STANDING, contact_id=1, contact=contact, now=datetime.now(UTC), actor="time"
    )
    (line,) = lines_of([change])
    return line


def test_a_change_by_time_names_neither_source_nor_age() -> None:
    line = change_of(ContactKey(account="default", channel=Channel.EMAIL, address="jane@Xn--bcher-kva.example"))
    assert (line["source"], line["provider"], line["age_seconds"]) == (None, None, None)
    assert line["mailbox_provider"] == "other"


def test_a_phone_number_has_no_domain() -> None:
    line = change_of(ContactKey(account="default", channel=Channel.SMS, address="+491701234567"))
    assert (line["domain"], line["mailbox_provider"]) == (None, None)
    assert "1234567" not in str(line)


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("gmail.com", "google"),
        ("googlemail.com", "google"),
        ("hotmail.fr", "microsoft"),
        ("yahoo.co.uk", "yahoo"),
        ("yahoo.co.jp", "yahoo.co.jp"),
        ("icloud.com", "apple"),
        ("web.de", "web.de"),
        ("example.org", "other"),
        ("notgmail.com", "other"),
        ("", "other"),
    ],
)
def test_a_domain_tells_who_keeps_its_mailboxes(domain: str, provider: str) -> None:
    assert mailbox_provider(domain) == provider
    assert provider in MAILBOX_PROVIDERS
