"""What the words mean that every contract uses."""

from itertools import pairwise

import pytest

from schemas.vocabulary import Blocks, MailClass, forbidden_classes

ALL = {MailClass.MARKETING, MailClass.ONE_TO_ONE, MailClass.TRANSACTIONAL}


@pytest.mark.parametrize(
    ("blocks", "forbidden"),
    [
        (Blocks.NONE, set()),
        (Blocks.MARKETING, {MailClass.MARKETING}),
        (Blocks.COMMERCIAL, {MailClass.MARKETING, MailClass.ONE_TO_ONE}),
        (Blocks.ALL, ALL),
    ],
)
def test_each_word_forbids_the_classes_of_mail_that_it_names(blocks: Blocks, forbidden: set[MailClass]) -> None:
    assert set(blocks.classes) == forbidden
    assert {mail_class for mail_class in MailClass if blocks.forbids(mail_class)} == forbidden
    assert set(forbidden_classes(blocks.value)) == forbidden


def test_each_word_forbids_all_that_the_word_before_it_forbids() -> None:
    sets = [set(blocks.classes) for blocks in Blocks]
    assert all(less < more for less, more in pairwise(sets))


def test_a_word_that_this_version_does_not_know_forbids_everything() -> None:
    assert set(forbidden_classes("sundays")) == ALL
