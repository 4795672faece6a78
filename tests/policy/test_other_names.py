"""What other systems call a status: each standing has one name in each."""

from itertools import product

import pytest

from schemas.decision import Permission, Strength
from schemas.entry import Entry
from schemas.vocabulary import Blocks, Cause, Kind, Status, System
from tests.policy.rules import day, delivered, hard, soft
from tests.schemas.decisions import added, optin
from tests.schemas.feedback_events import make_event
from worker.policy.dimension import Standing
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.other_names import NAMES, When, name_in
from worker.policy.policy_file import recommended_policy
from worker.policy.standing import standing

POLICY = recommended_policy()


def named(system: System, *entries: Entry, at: float = 30) -> str:
    facts = fold_all(Facts(), entries, POLICY)
    return name_in(system, standing(facts, POLICY, day(at)), facts)


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ([hard(1)], ["Blocklisted", "Blacklisted", "Hard bounce", "Does not exist", "Blacklist"]),
        (
            [hard(1, cause=Cause.INVALID_ADDRESS)],
            ["Blocklisted", "Blacklisted", "Invalid email", "Does not exist", "Blacklist"],
        ),
        ([make_event(Kind.COMPLAINT, day=1)], ["Spam complaint", "Blacklisted", "Reported spam", "Complained"]),
        ([make_event(Kind.UNSUBSCRIBE, day=1)], ["Unsubscribed", "Inactive", "Unsubscribed", "Unsubscribed"]),
        ([added(1)], ["Unsubscribed", "Inactive", "Non-marketable", "Unsubscribed by us", "Unconfirmed"]),
        ([delivered(1), optin(2)], ["Subscribed", "Active", "Confirmed (double opt-in)", "Active"]),
        (
            [optin(2, Strength.SINGLE)],
            ["Subscribed", "Active", "Unconfirmed (single opt-in)", "New"],
        ),
        ([delivered(1)], ["Unsubscribed", "Inactive", "Unconfirmed (single opt-in)", "Active"]),
        ([added(1, Permission.STATED)], ["Subscribed", "Active"]),
    ],
)
def test_a_contact_has_the_name_that_people_know_from_there(entries: list[Entry], names: list[str]) -> None:
    assert [named(system, *entries) for system in list(System)[: len(names)]] == names


def test_a_mailbox_that_stays_full_is_called_so_where_there_is_a_word_for_it() -> None:
    failures = [soft(at) for at in (1, 8, 15, 22, 29)]
    assert named(System.EMAILMASSIVO, *failures) == "Mailbox full"
    assert named(System.KARTRA, *failures) == "Multiple soft bounces"


def test_every_status_has_a_name_whatever_the_facts_are() -> None:
    for status, cause, system in product(Status, Cause, System):
        one = Standing(status=status, blocks=Blocks.NONE, since=None, until=None, cause=cause)
        assert name_in(system, one, Facts())


def test_the_row_that_always_holds_is_the_last_of_its_status() -> None:
    for status in Status:
        rows = [named.when for named in NAMES if named.status is status]
        assert rows.index(When.ALWAYS) == len(rows) - 1
