"""The answers for people: five words, and one sentence with what led to the standing."""

from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings

from schemas.entry import Entry
from schemas.vocabulary import Blocks, Cause, Kind, Status
from tests.policy.rules import day, delivered, hard, soft
from tests.properties import examples
from tests.schemas.decisions import added, listing, logs, void
from tests.schemas.feedback_events import histories, make_event
from worker.policy.annotations import effective
from worker.policy.dimension import Standing
from worker.policy.event_order import order_key
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.policy.reason import CAUSE_WORDS, reason_sentence, short_reason
from worker.policy.standing import standing

POLICY = recommended_policy()
MOST_WORDS = 5


def told(*entries: Entry, at: float = 400, most_entries: int = 50) -> tuple[str, str]:
    """The short answer and the sentence for a contact of this log."""
    facts = fold_all(Facts(), entries, POLICY)
    one = standing(facts, POLICY, day(at))
    return short_reason(one), reason_sentence(one, facts, latest_first(entries), most_entries=most_entries)


def latest_first(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=order_key, reverse=True)


def full(at: float) -> Entry:
    return soft(at, smtp_code=452, enhanced_status="4.2.2", diagnostic="452 4.2.2 over quota")


def test_a_full_mailbox_is_reported_with_how_often_since_when_and_the_last_answer() -> None:
    failures = [full(at) for at in (1, 8, 15, 22, 29)]
    short, sentence = told(delivered(0), *failures, at=30)
    assert short == "No marketing: mailbox full"
    assert sentence == "Mailbox full, 5 times since 2 March 2026, last answer: 452 4.2.2 over quota."


def test_failures_before_the_last_delivery_do_not_count() -> None:
    _, sentence = told(full(1), delivered(2), full(3), full(9), at=10)
    assert sentence == "Mailbox full, 2 times since 4 March 2026, last answer: 452 4.2.2 over quota."


def test_failures_of_another_cause_do_not_count() -> None:
    _, sentence = told(hard(1), soft(2, cause=Cause.MAILBOX_FULL), at=3)
    assert sentence.startswith("No such mailbox, on 2 March 2026")


def test_a_voided_failure_does_not_count() -> None:
    wrong = full(2)
    entries = [full(1), wrong, void(3, wrong)]
    facts = fold_all(Facts(), effective(entries), POLICY)
    one = standing(facts, POLICY, day(4))
    sentence = reason_sentence(one, facts, latest_first(entries), most_entries=50)
    assert sentence.startswith("Mailbox full, on 2 March 2026")


def test_a_count_that_may_be_higher_is_told_as_the_least() -> None:
    failures = [full(at) for at in (1, 8, 15, 22, 29)]
    facts = fold_all(Facts(), failures, POLICY)
    shown = latest_first(failures)[:3]
    sentence = reason_sentence(standing(facts, POLICY, day(30)), facts, shown, most_entries=3)
    assert sentence.startswith("Mailbox full, at least 3 times since 16 March 2026")


def test_codes_that_the_answer_lacks_stand_before_it() -> None:
    _, sentence = told(soft(1, smtp_code=552, diagnostic="quota"), at=2)
    assert sentence == "Mailbox full, on 2 March 2026, last answer: 552 quota."


def test_a_listing_names_who_and_why() -> None:
    short, sentence = told(listing(1, cause=Cause.NONE, note="a trap"))
    assert short == "No: blocklisted"
    assert sentence == 'Blocklisted by anna on 2 March 2026 ("a trap").'


def test_a_complaint_is_reported_with_its_day() -> None:
    assert told(make_event(Kind.COMPLAINT, day=1, cause=Cause.ABUSE_REPORT)) == (
        "No: reported as spam",
        "Reported as spam on 2 March 2026.",
    )


def test_an_opt_out_of_a_list_names_the_list() -> None:
    assert told(make_event(Kind.UNSUBSCRIBE, day=1, scope="weekly")) == (
        "No marketing: person unsubscribed",
        "The person unsubscribed from weekly on 2 March 2026.",
    )


def test_an_unknown_permission_says_so() -> None:
    short, sentence = told(added(1, note=None))
    assert short == "No marketing: permission not known"
    assert sentence.startswith("Nobody knows whether the person agreed")


def test_a_contact_to_whom_nothing_is_forbidden_is_recognised_by_its_last_sign_of_life() -> None:
    assert told() == ("Yes: nothing known yet", "Nothing was reported about it that counts.")
    assert told(delivered(1)) == ("Yes: mail has arrived", "A message was last delivered on 2 March 2026.")


def test_a_status_that_forbids_nothing_is_a_yes_with_a_but() -> None:
    assert told(soft(1), at=2)[0] == "Yes, but: mailbox full"


def test_the_short_answer_has_at_most_five_words() -> None:
    for status, blocks, cause in product(Status, Blocks, Cause):
        answer = short_reason(Standing(status=status, blocks=blocks, since=None, until=None, cause=cause))
        assert 0 < len(answer.split()) <= MOST_WORDS, answer


def test_each_cause_has_words() -> None:
    assert set(CAUSE_WORDS) == set(Cause)


@settings(max_examples=examples(200))
@given(logs(histories()))
def test_every_log_has_one_sentence(entries: list[Entry]) -> None:
    short, sentence = told(*entries)
    assert short
    assert sentence.endswith(".")
    assert "None" not in sentence
