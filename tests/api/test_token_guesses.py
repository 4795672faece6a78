"""Guessing tokens gets nowhere, and nobody else is locked out by it."""

import pytest

from tests.api.conftest import OLD_TOKEN, TOKEN
from worker.api.token_guesses import TRIES, TRIES_A_SECOND, TokenGuesses, Verdict
from worker.contacts.tokens import token_digest

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


@pytest.fixture
def guesses() -> TokenGuesses:
    return TokenGuesses()


def judge(guesses: TokenGuesses, token: str, address: str, *, now: float) -> Verdict:
    """The verdict where these two tokens are valid."""
    return guesses.judge(token_digest(token), address, is_valid=token in {TOKEN, OLD_TOKEN}, now=now)


def guess(guesses: TokenGuesses, count: int, address: str = HERE, *, now: float = 0.0) -> list[Verdict]:
    """So many guesses, each another one."""
    return [judge(guesses, f"guess {number} at {now}", address, now=now) for number in range(count)]


def test_some_wrong_tokens_are_looked_at_and_then_one_a_second(guesses: TokenGuesses) -> None:
    assert guess(guesses, 1_300) == [Verdict.WRONG] * TRIES + [Verdict.NOT_LOOKED_AT] * (1_300 - TRIES)
    looked_at = sum(guess(guesses, 13, now=second / 100).count(Verdict.WRONG) for second in range(1, 10_001))
    assert looked_at == 100 * TRIES_A_SECOND


def test_a_guesser_is_not_told_when_he_has_guessed_right(guesses: TokenGuesses) -> None:
    guess(guesses, TRIES)
    assert judge(guesses, TOKEN, HERE, now=0) is Verdict.NOT_LOOKED_AT
    assert judge(guesses, TOKEN, HERE, now=1) is Verdict.VALID


def test_whoever_was_let_in_before_is_let_in_while_others_guess_from_his_address(guesses: TokenGuesses) -> None:
    assert judge(guesses, TOKEN, HERE, now=0) is Verdict.VALID
    for second in range(100):
        guess(guesses, 20, now=second)
        assert judge(guesses, TOKEN, HERE, now=second) is Verdict.VALID
        assert judge(guesses, OLD_TOKEN, HERE, now=second) is Verdict.NOT_LOOKED_AT


def test_guesses_from_one_address_are_no_matter_to_another(guesses: TokenGuesses) -> None:
    guess(guesses, 1_000)
    assert judge(guesses, TOKEN, ELSEWHERE, now=0) is Verdict.VALID
    assert judge(guesses, "wrong", ELSEWHERE, now=0) is Verdict.WRONG


def test_the_same_wrong_token_again_and_again_is_one_guess(guesses: TokenGuesses) -> None:
    """A forgotten script with an old token locks nobody out."""
    for _ in range(1_000):
        assert judge(guesses, "taken out of the configuration", HERE, now=0) is Verdict.WRONG
    assert judge(guesses, TOKEN, HERE, now=0) is Verdict.VALID


def test_an_address_that_was_quiet_may_try_again_but_no_more_than_before(guesses: TokenGuesses) -> None:
    guess(guesses, 1_000)
    assert guess(guesses, 1_000, now=86_400).count(Verdict.WRONG) == TRIES


def test_all_addresses_of_an_ipv6_network_are_one_caller(guesses: TokenGuesses) -> None:
    verdicts = [judge(guesses, f"guess {number}", f"2001:db8::{number:x}", now=0) for number in range(100)]
    assert verdicts.count(Verdict.WRONG) == TRIES
    assert judge(guesses, "another", "2001:db8:0:1::1", now=0) is Verdict.WRONG


def test_what_is_remembered_of_addresses_has_an_end(guesses: TokenGuesses) -> None:
    for number in range(10_050):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        judge(guesses, "wrong", address, now=0)
        judge(guesses, TOKEN, address, now=0)
    assert len(guesses._tries) == len(guesses._familiar) == 10_000
