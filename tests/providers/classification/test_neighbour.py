"""Which noun stands beside a phrase."""

import pytest

from worker.providers.classification.neighbour import Neighbours

MAILBOX = Neighbours(nouns=frozenset({"mailbox", "user", "mail box"}), may_follow=True)


@pytest.mark.parametrize(
    ("words", "matched"),
    [
        (" the user is currently suspended ", "user is currently suspended"),
        (" user suspended ", "user suspended"),
        (" suspended user ", "suspended user"),
        (" for suspended email user jane ", "suspended"),
        (" the mail box was suspended ", "mail box was suspended"),
        # the first is of something else, the second of a user
        (" service suspended because no user suspended ", "user suspended"),
    ],
)
def test_a_phrase_is_found_with_a_noun_beside_it(words: str, matched: str) -> None:
    place = MAILBOX.find(words, " suspended ")
    assert place is not None
    assert words[slice(*place)].strip().startswith(matched.split(maxsplit=1)[0])


@pytest.mark.parametrize(
    "words",
    [
        " suspended ",
        " the delivery to this user was stopped and the queue suspended ",
        " user delivery suspended ",
        " suspended delivery to the user ",
        " superuser suspended ",
        " message suspended mailbox not responding ",
        " delivery temporarily suspended mailbox full ",
        " suspended for the user ",
    ],
)
def test_a_phrase_without_a_noun_beside_it_is_not_found(words: str) -> None:
    assert MAILBOX.find(words, " suspended ") is None


def test_a_noun_that_may_only_stand_before_is_not_found_behind() -> None:
    only_before = Neighbours(nouns=frozenset({"user"}), may_follow=False)
    assert only_before.find(" suspended user ", " suspended ") is None
    assert only_before.find(" user suspended ", " suspended ") is not None
