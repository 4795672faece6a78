"""What the log says of events that this version cannot read."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.envelope import Envelope, new_delivery_id
from schemas.log_events import LOG_EVENTS
from tests.providers.sample_events import NOW
from worker.processor.parsing import ParsedDelivery, ParsedParcels
from worker.processor.reporting import report_unknown
from worker.providers.registry import PROVIDERS
from worker.samples.bouncekeeper import BouncekeeperSamples

GOOD = {"event": "opened", "address": "jane@example.org"}
MISSPELT = {"event": "opened", "adress": "jane@example.org"}


def reported(*bodies: Any, provider: str = "bouncekeeper") -> list[dict[str, Any]]:
    """The log lines about these bodies, parsed as one load."""
    parsed = ParsedParcels()
    for body in bodies:
        envelope = Envelope(
            delivery_id=new_delivery_id(),
            source="scripts",
            provider=provider,
            account="default",
            received_at=NOW,
            content_type="application/json",
            headers={},
            body=json.dumps(body).encode(),
        )
        events = PROVIDERS[provider].parse(envelope, BouncekeeperSamples().source("scripts"))
        parsed.deliveries.append(ParsedDelivery(envelope=envelope, events=events))
    with capture_logs() as lines:
        report_unknown(parsed)
    return [dict(line) for line in lines]


def test_a_malformed_event_is_logged_with_the_first_reason() -> None:
    (line,) = reported([GOOD, MISSPELT], [GOOD, {"event": "opened"}])
    assert (line["event"], line["vendor_event"], line["count"]) == ("event.unknown", "malformed", 2)
    assert "unknown field `adress`" in line["detail"]
    assert set(line) - {"event", "log_level"} == LOG_EVENTS["event.unknown"].fields


@pytest.mark.parametrize("quoted", ["jane@example.org", "+491701234567", "0170 123 45 67"])
def test_the_reason_quotes_no_address_in_clear(quoted: str) -> None:
    (line,) = reported([GOOD, {**GOOD, "occurred_at": quoted}])
    assert quoted not in line["detail"]
    assert "***" in line["detail"]
    assert line["detail"].startswith("occurred_at ")
    assert line["detail"].endswith("is neither RFC 3339 nor seconds since 1970")


def test_a_name_that_is_not_known_needs_no_reason() -> None:
    (line,) = reported([GOOD, {**GOOD, "event": "novelty", "diagnostic": "words of a server"}])
    assert line["vendor_event"] == "novelty"
    assert "detail" not in line


def test_a_vendors_own_event_of_that_name_is_no_mistake_in_its_json() -> None:
    (line,) = reported([GOOD, {**GOOD, "event": "malformed", "diagnostic": "words of a server"}])
    assert line["vendor_event"] == "malformed"
    assert "detail" not in line


def test_what_is_known_is_not_warned_of() -> None:
    assert reported([GOOD]) == []
