"""What a template makes can be cut in one way only, or it makes nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties import examples
from worker.providers.authentication.signed_template import BODY, ID, TIMESTAMP, read_template

TIME = b"1772625600"
BYTES = st.lists(st.sampled_from([b"a", b".", b":", b"1772625600", b"0", b"-"]), max_size=6).map(b"".join)


def filled(template: str, message_id: bytes, time: bytes, body: bytes) -> bytes | None:
    return read_template(template).filled({ID: message_id, TIMESTAMP: time, BODY: body})


def test_fields_are_filled_in_and_all_else_stays_as_it_is() -> None:
    assert filled("v0:{timestamp}:{body}", b"", TIME, b"{id}") == b"v0:1772625600:{id}"
    assert filled("{id}.{timestamp}.{body}", b"m1", TIME, b"b") == b"m1.1772625600.b"
    assert filled("é{body}}", b"", TIME, b"b") == "éb}".encode()
    assert filled("{body}", b"", TIME, b"b") == b"b"


@pytest.mark.parametrize(
    "template", ["{id}.{timestamp}.{body}", "{timestamp}{id}:{body}", "{body}-{id}", "x{id}.a{body}"]
)
@given(one=st.tuples(BYTES, BYTES), other=st.tuples(BYTES, BYTES))
@settings(max_examples=examples(500))
def test_what_is_signed_tells_its_fields(template: str, one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    assert read_template(template).problem() is None
    (message_id, body), (other_id, other_body) = one, other
    signed = filled(template, message_id, TIME, body)
    if signed is not None and signed == filled(template, other_id, TIME, other_body):
        assert one == other


def test_an_id_that_holds_what_ends_it_makes_nothing() -> None:
    assert filled("{id}.{timestamp}.{body}", b"m.1", TIME, b"b") is None
    assert filled("{body}:{id}", b"m:1", TIME, b"b") is None
    assert filled("{body}:{id}", b"m.1", TIME, b"b") == b"b:m.1"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{body}", None),
        ("{timestamp}{body}", None),
        ("{body}{timestamp}", None),
        ("{timestamp}{id}.{body}", None),
        ("{id}{body}", "nothing marks where {id} ends"),
        ("{id}{timestamp}{body}", "nothing marks where {id} ends"),
        ("{body}{id}", "nothing marks where {id} ends"),
        ("{timestamp}", "leaves out {body}"),
        ("{body}{body}", "more than once"),
        ("{time}{body}", "{time} is not known"),
    ],
)
def test_a_template_that_proves_too_little_says_why(template: str, told: str | None) -> None:
    problem = read_template(template).problem()
    assert problem is None if told is None else problem is not None and told in problem


def test_a_template_that_proves_too_little_makes_nothing_either() -> None:
    assert filled("{id}{body}", b"m1", TIME, b"b") is None
