"""Facts come back from storage exactly as they went in."""

from datetime import timedelta

from hypothesis import given, settings
from msgspec.structs import replace

from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind, Way
from tests.policy.rules import delivered, hard, soft
from tests.properties import examples
from tests.schemas.decisions import logs
from tests.schemas.feedback_events import START, histories, make_event
from worker.contacts.contact_state import contact_facts
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, encode_facts, facts_detail, facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import preset, recommended_policy
from worker.providers.payload.event_key import former_event_key

UNTOUCHED = contact_facts(Facts(), policy_id=1)


def through_a_row(facts: Facts) -> Facts:
    return facts_from_row(contact_facts(facts, policy_id=1))


@settings(max_examples=examples(300))
@given(events=histories())
def test_any_facts_survive_a_row_and_a_base(events: list[FeedbackEvent]) -> None:
    for policy in (recommended_policy(), preset("ladder")):
        facts = fold_all(Facts(), events, policy)
        assert through_a_row(facts) == facts
        assert decode_facts(encode_facts(facts)) == facts


def test_microseconds_and_every_byte_of_a_key_survive() -> None:
    event = replace(soft(0), event_key=bytes(range(240, 256)), occurred_at=START + timedelta(microseconds=1))
    facts = fold_all(Facts(), [event], recommended_policy())
    again = through_a_row(facts)
    assert again.deliverability.rules[0].strikes[0].at.microsecond == 1
    assert again.deliverability.rules[0].strikes[0].event_key == bytes(range(240, 256))
    assert again == facts


def test_a_contact_without_trouble_has_no_detail() -> None:
    facts = fold_all(Facts(), [delivered(0), make_event(Kind.OPENED, day=1)], recommended_policy())
    assert facts_detail(facts) is None
    assert encode_facts(facts) is not None
    assert encode_facts(Facts()) is None
    assert decode_facts(None) == Facts()


def test_equal_facts_are_equal_bytes() -> None:
    one = fold_all(Facts(), [hard(0)], recommended_policy())
    again = through_a_row(one)
    assert facts_detail(again) == facts_detail(one)


def test_a_detail_of_a_later_version_with_more_in_it_is_still_read() -> None:
    detail = b'{"rules":[],"seen_by_a_later_version":1}'
    assert facts_from_row(replace(UNTOUCHED, facts_detail=detail)) == Facts()


def test_a_row_of_the_former_version_has_its_ranks_in_its_keys() -> None:
    bounced, opened = (former_event_key(kind, ["a"]) for kind in (Kind.HARD_BOUNCE, Kind.OPENED))
    # What such a version leaves in the columns that it does not know is of an earlier event.
    for left in (None, 120):
        row = replace(
            UNTOUCHED,
            latest_at=START + timedelta(days=1),
            latest_rank=left,
            latest_key=opened,
            latest_ordered_at=START,
            latest_ordered_rank=left,
            latest_ordered_key=bounced,
        )
        assert facts_from_row(row).latest == OrderKey(START + timedelta(days=1), 70, opened)
        assert facts_from_row(row).latest_ordered == OrderKey(START, 40, bounced)


# As the version before wrote them, when facts had no dimensions.
FORMER_DETAIL = (
    b'{"blocks":[{"blocks":"all","cause":"mailbox_does_not_exist","event_key":"AAAAAAAAAAAAAAAAAAAAAA==",'
    b'"lift_by":["admin","confirmed_optin"],"rule":"bad_mailbox","since":"2026-03-01T12:00:00Z",'
    b'"status":"blocklisted","until":null}],'
    b'"complaint":{"at":"2026-03-03T12:00:00Z","cause":"abuse_report","event_key":"AQEBAQEBAQEBAQEBAQEBAQ=="},'
    b'"optouts":[{"at":"2026-03-02T12:00:00Z","event_key":"AgICAgICAgICAgICAgICAg==","scope":"news"}],'
    b'"rules":[{"last_strike_at":"2026-03-01T12:00:00Z","rule":"mailbox_full","strikes":['
    b'{"at":"2026-03-01T12:00:00Z","cause":"mailbox_full","event_key":"AwMDAwMDAwMDAwMDAwMDAw==","kind":"soft_bounce"}]}]}'
)


def test_facts_of_the_version_before_which_had_no_dimensions_are_read() -> None:
    facts = facts_from_row(replace(UNTOUCHED, facts_detail=FORMER_DETAIL, last_delivered_at=START))
    assert facts.engagement.last_delivered_at == START
    assert [block.rule for block in facts.deliverability.blocks] == ["bad_mailbox"]
    assert [state.strikes[0].cause for state in facts.deliverability.rules] == ["mailbox_full"]
    assert [optout.scope for optout in facts.consent.optouts] == ["news"]
    assert facts.complaint is not None
    assert facts.complaint.at == START + timedelta(days=2)
    assert through_a_row(facts) == facts


# As it was when opt-outs were the person's alone, and did not know how they came in.
PLAIN_OPTOUT = (
    b'{"complaint":{"at":"2026-03-03T12:00:00Z","cause":"abuse_report","event_key":"AQEBAQEBAQEBAQEBAQEBAQ=="},'
    b'"consent":{"optouts":[{"at":"2026-03-02T12:00:00Z","event_key":"AgICAgICAgICAgICAgICAg==","scope":""}]}}'
)


def test_consent_of_the_version_before_which_knew_no_ways_is_read() -> None:
    facts = facts_from_row(replace(UNTOUCHED, facts_detail=PLAIN_OPTOUT))
    (optout,) = facts.consent.optouts
    assert (optout.scope, optout.at, optout.way) == ("", START + timedelta(days=1), Way.PROVIDER)
    assert facts.complaint is not None
    assert facts.complaint.stream == ""
    assert through_a_row(facts) == facts


@settings(max_examples=examples(200))
@given(log=logs(histories()))
def test_facts_of_any_decisions_and_wishes_survive_a_row_and_a_base(log: list[Entry]) -> None:
    facts = fold_all(Facts(), log, recommended_policy())
    assert through_a_row(facts) == facts
    assert decode_facts(encode_facts(facts)) == facts


def test_a_base_of_the_version_before_is_read() -> None:
    times = b'{"last_clicked_at":"2026-03-01T12:00:00Z","last_delivered_message":"m1",'
    latest = b'"latest":["2026-03-01T12:00:00Z",80,"AwMDAwMDAwMDAwMDAwMDAw=="],'
    facts = decode_facts(times + latest + FORMER_DETAIL[1:])
    assert facts.engagement.last_clicked_at == START
    assert facts.engagement.last_delivered_message == "m1"
    assert facts.latest == OrderKey(START, 80, b"\x03" * 16)
    assert [optout.scope for optout in facts.consent.optouts] == ["news"]
    assert decode_facts(encode_facts(facts)) == facts
