"""The published JSON Schema is the contract that the provider reads by."""

import json
from importlib.resources import files
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from schemas.reported_event import ReportedEvent, json_schema
from tests.providers.sample_events import NOW, one_of_each
from worker.samples.bouncekeeper import BouncekeeperSamples

SCHEMA: dict[str, Any] = json.loads((files("schemas") / "feedback.schema.json").read_text(encoding="utf-8"))


def test_the_file_is_what_the_record_says() -> None:
    assert json_schema() == SCHEMA, "run `python -m schemas.reported_event` to write it anew"
    assert set(SCHEMA["$defs"]["ReportedEvent"]["properties"]) == set(ReportedEvent.__struct_fields__)


def test_what_is_reported_keeps_it() -> None:
    validator = OAS31Validator(SCHEMA)
    for events in (one_of_each(), one_of_each()[:1]):
        for request in BouncekeeperSamples().requests(events, now=NOW):
            document = json.loads(request.body)
            validator.validate(document)
            validator.validate({"events": [document] if isinstance(document, dict) else document})


@pytest.mark.parametrize(
    "wrong", [{"event": "vanished"}, {"adress": "x"}, {"cause": "because"}, {"smtp_code": 42}, {"final": "no"}]
)
def test_what_is_a_mistake_does_not(wrong: dict[str, Any]) -> None:
    good = {"event": "bounce", "address": "jane@example.org"}
    validator = OAS31Validator(SCHEMA)
    assert validator.is_valid([good])
    assert not validator.is_valid([good | wrong])
