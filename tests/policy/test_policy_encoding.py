"""A policy that is stored is read back as the same policy."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.vocabulary import Cause, Kind
from tests.policy.test_order_of_arrival import POLICIES
from tests.properties import examples
from worker.policy.policy_encoding import decode_policy, encode_policy
from worker.policy.policy_file import load_policy, preset
from worker.policy.presets import preset_names
from worker.policy.rule import Action, LiftBy, Policy, Rule

_spans = st.timedeltas(min_value=preset("recommended").rules[0].min_interval * 0)
_names = st.text(min_size=1, max_size=20)
rules = st.builds(
    Rule,
    name=_names,
    causes=st.frozensets(st.sampled_from(list(Cause))),
    kinds=st.frozensets(st.sampled_from(list(Kind))),
    strikes=st.integers(1, 100),
    weights=st.dictionaries(st.sampled_from(list(Kind)), st.floats(0.1, 10)),
    min_interval=_spans,
    window=st.none() | _spans,
    stale_after=st.none() | _spans,
    reset_on=st.frozensets(st.sampled_from(list(Kind))),
    action=st.sampled_from(list(Action)),
    hold_ladder=st.lists(st.none() | _spans, max_size=4).map(tuple),
    ladder_forget=st.none() | _spans,
    lift_by=st.frozensets(st.sampled_from(list(LiftBy))),
)
any_policy = st.sampled_from(POLICIES) | st.builds(
    Policy, name=_names, rules=st.lists(rules, max_size=4).map(tuple), max_event_age=st.none() | _spans
)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_read_back_as_it_was(name: str) -> None:
    assert decode_policy(encode_policy(preset(name))) == preset(name)


@settings(max_examples=examples(300))
@given(policy=any_policy)
def test_any_policy_is_read_back_as_it_was(policy: Policy) -> None:
    assert decode_policy(encode_policy(policy)) == policy


def test_equal_policies_have_the_same_text() -> None:
    one = load_policy({"preset": "none", "rules": {"a": {"causes": ["@soft"], "reset_on": ["opened", "delivered"]}}})
    other = load_policy({"preset": "none", "rules": {"a": {"causes": ["@soft"], "reset_on": ["delivered", "opened"]}}})
    assert encode_policy(one) == encode_policy(other)


def test_what_has_been_looked_up_in_a_policy_is_no_part_of_it() -> None:
    policy = replace(preset("recommended"))
    before = encode_policy(policy)
    assert policy.rule_by_name
    assert encode_policy(policy) == before


def test_a_text_from_before_there_were_settings_of_consent_has_their_defaults() -> None:
    policy = preset("recommended")
    fields = msgspec.json.decode(encode_policy(policy))
    new = {name for name in fields if name.endswith("_applies_to") or name == "marketing_streams"}
    former = {name: value for name, value in fields.items() if name not in new - FORMER}
    assert len(former) < len(fields)
    assert decode_policy(msgspec.json.encode(former).decode()) == policy


FORMER = {"complaint_applies_to", "scoped_unsubscribe_applies_to"}
