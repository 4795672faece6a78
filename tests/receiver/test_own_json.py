"""What scripts post in our own JSON is answered as schemas/openapi.yaml describes it."""

import json
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator

from schemas.lane import Lane
from schemas.reported_event import ReportedEvent
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now
from tests.schemas.openapi_document import openapi_document
from worker.samples.bouncekeeper import BouncekeeperSamples
from worker.settings.tree import ReceiverSettings

GOOD = {"event": "opened", "address": "jane@example.org"}
DOCUMENT = openapi_document()


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


@pytest.mark.parametrize(
    ("events", "status", "told"),
    [
        ([GOOD], 200, {"events": 1, "taken": 1, "refused": [], "unknown": []}),
        ([], 200, {"events": 0, "taken": 0, "refused": [], "unknown": []}),
        (
            [GOOD, {**GOOD, "final": "yes"}, {"event": "opened"}, GOOD],
            200,
            {
                "events": 4,
                "taken": 2,
                "refused": [
                    {"index": 1, "error": "Expected `bool | null`, got `str` - at `$.final`"},
                    {"index": 2, "error": "the event names nobody: give an address"},
                ],
                "unknown": [],
            },
        ),
        (
            [{**GOOD, "event": "bounced"}],
            200,
            {
                "events": 1,
                "taken": 1,
                "refused": [],
                "unknown": [
                    {
                        "index": 0,
                        "event": "bounced",
                        "remedy": "no event has this name, so it is kept and does nothing: did you mean bounce?",
                    }
                ],
            },
        ),
        (
            [{"event": "bounced"}],
            400,
            {
                "events": 1,
                "taken": 0,
                "refused": [{"index": 0, "error": "the event names nobody: give an address"}],
                "unknown": [],
            },
        ),
    ],
)
async def test_the_answer_says_of_each_event_what_became_of_it(
    events: list[dict[str, Any]],
    status: int,
    told: dict[str, Any],
    start_receiver: Start,
    postgres_writer: TallyingWriter,
) -> None:
    sender = BouncekeeperSamples()
    receiver = await start_receiver(sources=[sender.source("scripts")], writer=postgres_writer)
    answered, headers, body = await receiver.post(sender.signed(events, now=now()), "scripts")
    assert (answered, headers["Content-Type"]) == (status, "application/json")
    answer = json.loads(body)
    assert {name: answer[name] for name in told} == told
    assert len(postgres_writer.parcels) == (status == 200)


async def test_of_many_mistakes_the_first_hundred_are_reported(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = BouncekeeperSamples()
    receiver = await start_receiver(sources=[sender.source("scripts")], writer=postgres_writer)
    events = [GOOD, *[{"event": "opened"}] * 500, *[{**GOOD, "event": "novelty"}] * 500]
    _, _, body = await receiver.post(sender.signed(events, now=now()), "scripts")
    answer = json.loads(body)
    assert (answer["events"], answer["taken"]) == (1_001, 501)
    assert [one["index"] for one in answer["refused"]] == list(range(1, 101))
    assert [one["index"] for one in answer["unknown"]] == list(range(501, 601))


async def test_a_script_says_that_its_import_may_wait_and_a_source_may_say_so_for_all(
    start_receiver: Start, postgres_writer: TallyingWriter
) -> None:
    sender = BouncekeeperSamples()
    imports = msgspec.structs.replace(sender.source("imports"), bulk=True)
    receiver = await start_receiver(sources=[sender.source("scripts"), imports], writer=postgres_writer)
    for path in ("scripts", "scripts?bulk=1", "scripts?bulk=0", "imports"):
        [webhook] = sender.requests([bounce()], now=now())
        status, _, _ = await receiver.post(webhook, path)
        assert status == 200
    assert postgres_writer.lanes == [
        Lane(source="scripts"),
        Lane(source="scripts", bulk=True),
        Lane(source="scripts"),
        Lane(source="imports", bulk=True),
    ]


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
    assert set(given) == set(responses) - {"408", "503"}
    told = {**DOCUMENT["components"]["schemas"]["ReportedEvents"], "components": DOCUMENT["components"]}
    OAS31Validator(told).validate(json.loads(given.pop("200")))
    refusal = {**DOCUMENT["components"]["schemas"]["Refusal"], "components": DOCUMENT["components"]}
    for body in given.values():
        OAS31Validator(refusal).validate(json.loads(body))
