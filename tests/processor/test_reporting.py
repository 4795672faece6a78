"""What the log says of events that this version does not know."""

import json
from typing import Any

from schemas.envelope import Envelope, new_delivery_id
from schemas.log_events import LOG_EVENTS
from tests.captured_lines import capture_logs
from tests.providers.sample_events import NOW
from worker.processor.parsing import ParsedDelivery, ParsedParcels
from worker.processor.reporting import report_unknown
from worker.providers.registry import PROVIDERS
from worker.samples.bouncekeeper import BouncekeeperSamples

GOOD = {"event": "opened", "address": "jane@example.org"}


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
        events = PROVIDERS[provider].bind(BouncekeeperSamples().source("scripts")).parse(envelope)
        parsed.deliveries.append(ParsedDelivery(envelope=envelope, events=events))
    with capture_logs() as lines:
        report_unknown(parsed)
    return [dict(line) for line in lines]


def test_a_name_that_is_not_known_is_logged() -> None:
    (line,) = reported([GOOD, {**GOOD, "event": "novelty"}], [{**GOOD, "event": "novelty"}])
    assert (line["event"], line["vendor_event"], line["count"]) == ("event.unknown", "novelty", 2)
    assert set(line) - {"event", "log_level"} == LOG_EVENTS["event.unknown"].fields


def test_what_is_known_is_not_warned_of() -> None:
    assert reported([GOOD]) == []
