"""What scripts post in our own JSON is answered as schemas/openapi.yaml describes it."""

import json
from importlib.resources import files
from typing import Any

import msgspec
import yaml
from openapi_schema_validator import OAS31Validator

from schemas.reported_event import ReportedEvent
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now
from worker.samples.bouncekeeper import BouncekeeperSamples
from worker.settings_tree import ReceiverSettings

DOCUMENT: dict[str, Any] = yaml.safe_load((files("schemas") / "openapi.yaml").read_text(encoding="utf-8"))


async def test_a_script_reads_in_the_answer_what_is_wrong_and_nothing_is_queued(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = BouncekeeperSamples()
    receiver = await start_receiver(sources=[sender.source("scripts")], writer=postgres_writer)
    mistake = sender.signed({"event": "bounce", "adress": "jane@example.org"}, now=now())
    status, _, body = await receiver.post(mistake, "scripts")
    told = json.loads(body)
    assert (status, told["error"]) == (400, "unreadable_events")
    assert "unknown field `adress`" in told["remedy"]
    assert postgres_writer.parcels == []


def test_an_event_is_described_as_the_published_schema_has_it() -> None:
    _, components = msgspec.json.schema_components([ReportedEvent], ref_template="#/components/schemas/{name}")
    assert DOCUMENT["components"]["schemas"]["ReportedEvent"] == components["ReportedEvent"]


async def test_every_answer_to_a_script_is_as_described(start_receiver: Start, postgres_writer: TallyingWriter) -> None:
    sender = BouncekeeperSamples()
    receiver = await start_receiver(
        sources=[
            sender.source("scripts"),
            msgspec.structs.replace(sender.source("closed"), allowed_addresses=("192.0.2.1",)),
        ],
        writer=postgres_writer,
        settings=ReceiverSettings(max_body_bytes=10_000),
    )
    [webhook] = sender.requests([bounce()], now=now())
    unsigned = {"content-type": "application/json"}
    responses = DOCUMENT["paths"]["/webhooks/{source}"]["post"]["responses"]
    given = {}
    for source, changed in (
        ("scripts", webhook),
        ("scripts", msgspec.structs.replace(webhook, headers=unsigned)),
        ("scripts", msgspec.structs.replace(webhook, headers={**webhook.headers, "content-encoding": "br"})),
        ("scripts", msgspec.structs.replace(webhook, headers={**webhook.headers, "content-encoding": "gzip"})),
        ("scripts", msgspec.structs.replace(webhook, body=b" " * 20_000)),
        ("closed", webhook),
        ("nowhere", webhook),
    ):
        status, _, body = await receiver.post(changed, source)
        given[str(status)] = body
    assert set(given) == set(responses) - {"503"}
    assert given.pop("200") == b""
    refusal = {**DOCUMENT["components"]["schemas"]["Refusal"], "components": DOCUMENT["components"]}
    for body in given.values():
        OAS31Validator(refusal).validate(json.loads(body))
