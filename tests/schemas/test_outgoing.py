"""What goes out keeps its published JSON Schema, in the feed, on the exchange and in webhooks."""

import json
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from schemas.outgoing import EXAMPLE, HistoryLine, StatusChanged, json_schema
from tests.schemas.openapi_document import openapi_document

SCHEMA: dict[str, Any] = json.loads((files("schemas") / "status-changed.schema.json").read_text(encoding="utf-8"))


def test_the_file_is_what_the_record_says() -> None:
    assert json_schema() == SCHEMA, "run `python -m schemas.outgoing` to write it anew"
    assert set(SCHEMA["required"]) == set(StatusChanged.__struct_fields__)


def test_the_example_keeps_it_and_is_written_as_we_write() -> None:
    OAS31Validator(SCHEMA, format_checker=oas31_format_checker).validate(EXAMPLE)
    assert json.loads(msgspec.json.encode(msgspec.convert(EXAMPLE, StatusChanged))) == EXAMPLE


def test_the_api_describes_the_same_fields() -> None:
    document = openapi_document()
    described = document["components"]["schemas"]["HistoryLine"]
    assert described["required"] == list(HistoryLine.__struct_fields__)
    assert set(described["properties"]) == set(HistoryLine.__struct_fields__)
    (_, place) = document["components"]["schemas"]["StatusChanged"]["allOf"]
    assert {*place["properties"], *described["properties"]} == set(StatusChanged.__struct_fields__)


@pytest.mark.parametrize(
    "wrong",
    [{"new_status": "gone"}, {"recorded_at": None}, {"new_blocks": "some"}, {"cursor": None}, {"channel": "fax"}],
)
def test_what_is_something_else_does_not(wrong: dict[str, Any]) -> None:
    assert not OAS31Validator(SCHEMA).is_valid(EXAMPLE | wrong)


def test_a_field_of_a_later_version_is_no_mistake() -> None:
    OAS31Validator(SCHEMA).validate(EXAMPLE | {"novelty": 1})
