"""Event keys are the same for the same event and differ for all others."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope, new_delivery_id
from schemas.kind_rank import KIND_RANKS, rank_in_former_key
from schemas.vocabulary import Cause, Kind
from worker.providers.payload.event_key import KEY_FORM, former_event_key, make_event_key
from worker.providers.registry import PROVIDERS
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleEvent

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

PART = st.one_of(st.none(), st.text(), st.binary())


def test_a_key_is_sixteen_bytes_and_opens_with_its_form() -> None:
    key = make_event_key(["a"])
    assert len(key) == 16
    assert key[:1] == KEY_FORM


@pytest.mark.parametrize("kind", list(Kind))
def test_a_former_key_differs_in_its_first_byte_alone(kind: Kind) -> None:
    former, today = former_event_key(kind, ["account", b"raw"]), make_event_key(["account", b"raw"])
    assert former[1:] == today[1:]
    assert former[0] == list(Kind).index(kind) < KEY_FORM[0]
    assert rank_in_former_key(former) == KIND_RANKS[kind]
    assert rank_in_former_key(today) is None


def test_where_one_part_ends_and_the_next_begins_counts() -> None:
    assert make_event_key(["ab", "c"]) != make_event_key(["a", "bc"])
    assert make_event_key(["", "a"]) != make_event_key(["a", ""])


def test_a_missing_part_is_not_an_empty_one() -> None:
    assert make_event_key([None]) != make_event_key([""])


def test_a_key_stays_what_it_was_when_it_was_first_stored() -> None:
    assert make_event_key(["account", b"raw", None]).hex() == STORED_KEY


STORED_KEY = "807831c81f86b47c163766ba93dd3406"


def test_a_lone_surrogate_has_a_key_too() -> None:
    assert len(make_event_key(["\ud800"])) == 16


def test_whatever_json_can_hold_has_a_key_too() -> None:
    parts = (1, 1.0, "1", True, None, [1], {"a": 1}, 2**70, {"a": "\ud800"})
    assert len({make_event_key([part]) for part in parts}) == len(parts)
    assert make_event_key([2**70, "a"]) == make_event_key([2**70, "a"])


@given(st.lists(PART), st.lists(PART))
def test_keys_are_equal_exactly_when_the_parts_are(
    one: list[str | bytes | None], other: list[str | bytes | None]
) -> None:
    equal = make_event_key(one) == make_event_key(other)
    assert equal == (one == other)


@pytest.mark.parametrize("provider", SAMPLE_SENDERS)
def test_what_two_accounts_are_told_is_an_event_for_each(provider: str) -> None:
    bounce = SampleEvent(
        address="jane@example.org",
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        occurred_at=NOW,
        message_id="message-1",
    )
    sender, reader = SAMPLE_SENDERS[provider](), PROVIDERS[provider]
    [request] = sender.requests([bounce], now=NOW)
    keys = {
        event.event_key
        for account in ("shop", "newsletter", "shop")
        for event in reader.bind(sender.source("main")).parse(
            Envelope(
                delivery_id=new_delivery_id(),
                source="main",
                provider=provider,
                account=account,
                received_at=NOW,
                content_type=request.headers.get("content-type", ""),
                headers={name: value for name, value in request.headers.items() if name in reader.kept_headers},
                body=request.body,
            )
        )
    }
    assert len(keys) == 2
