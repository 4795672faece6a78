"""An operator's own rule is asked first, counted, and told of when it is wrong."""

from collections.abc import Iterator

import pytest

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import classify
from worker.providers.classification.operator_rules import operator_rules, use_operator_rules
from worker.settings.classification import read_operator_rules


@pytest.fixture(autouse=True)
def _no_rules_afterwards() -> Iterator[None]:
    yield
    use_operator_rules(())


def use(**rules: dict[str, object]) -> None:
    mistakes: list[str] = []
    use_operator_rules(read_operator_rules({"rules": rules}, mistakes))
    assert mistakes == []


def cause_of(text: str) -> Cause:
    return classify(smtp_code=None, enhanced_status=None, diagnostic=text, permanent=True).cause


def test_an_own_rule_is_believed_over_codes_and_words() -> None:
    assert cause_of("550 5.1.1 user unknown at the moment") is Cause.MAILBOX_DOES_NOT_EXIST
    use(moment={"words": ["unknown at the moment"], "cause": "server_unavailable"})
    assert cause_of("550 5.1.1 user unknown at the moment") is Cause.SERVER_UNAVAILABLE
    assert cause_of("550 5.1.1 user unknown") is Cause.MAILBOX_DOES_NOT_EXIST


def test_a_star_stands_for_up_to_eight_words() -> None:
    use(crammed={"words": ["mailbox * crammed"], "cause": "mailbox_full"})
    assert cause_of("550 mailbox of jane is crammed") is Cause.MAILBOX_FULL
    assert cause_of("550 mailbox " + "very " * 9 + "crammed") is not Cause.MAILBOX_FULL


def test_characters_that_are_no_words_are_looked_for_as_text() -> None:
    use(token={"text": ["[AB-7]"], "cause": "sender_reputation"})
    assert cause_of("550 refused [ab-7]") is Cause.SENDER_REPUTATION


def test_conditions_narrow_a_rule() -> None:
    use(ours={"words": ["refused"], "stage": "mail_from", "cause": "sender_configuration"})
    assert (
        cause_of("host a.example.org[192.0.2.1] said: 550 refused (in reply to MAIL FROM command)")
        is Cause.SENDER_CONFIGURATION
    )
    use(ours={"words": ["refused"], "status": "5.7.1", "cause": "content"})
    assert cause_of("550 5.7.1 refused") is Cause.CONTENT
    assert cause_of("550 5.7.0 refused") is Cause.POLICY


def test_how_often_each_rule_decided_is_counted_once() -> None:
    use(moment={"words": ["gone fishing"], "cause": "mailbox_disabled"})
    assert (
        classify(smtp_code=None, enhanced_status=None, diagnostic="550 gone fishing", permanent=True).kind
        is Kind.HARD_BOUNCE
    )
    assert operator_rules().take_counts() == {"moment": 1}
    assert operator_rules().take_counts() == {}


def test_all_mistakes_are_reported_at_once_with_what_was_meant() -> None:
    mistakes: list[str] = []
    rules = {
        "one": {"word": ["x"], "cause": "mailbox_ful"},
        "two": {"words": "x", "cause": "content"},
        "three": {"words": ["..."], "cause": "content", "stage": "rcpt"},
        "four": {"words": [" "]},
    }
    assert read_operator_rules({"rules": rules, "rule": {}}, mistakes) == ()
    told = "\n".join(mistakes)
    for expected in (
        "classification.rule is unknown",
        "classification.rules.one.word is unknown: did you mean words?",
        "classification.rules.one.cause = 'mailbox_ful' is unknown: did you mean mailbox_full?",
        'classification.rules.two.words must be a list of texts: write words = ["…"]',
        "classification.rules.three.words: '...' has no word in it",
        "classification.rules.three.stage = 'rcpt' is unknown: did you mean rcpt_to?",
        "classification.rules.four.words holds an empty text",
        "classification.rules.four.cause is missing",
    ):
        assert expected in told
