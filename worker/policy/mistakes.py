"""Mistakes in a policy: all have one form and are reported together."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.errors import ImpossibleSetting
from worker.process.spelling import did_you_mean


def mistake(where: str, key: str, problem: str, remedy: str) -> str:
    """The message about one key: where it is, what is wrong, what to do."""
    return f"{where}: {key} {problem}; {remedy}"


def impossible(where: str, key: str, problem: str, remedy: str) -> ImpossibleSetting:
    """The same message as an error to raise."""
    return ImpossibleSetting(mistake(where, key, problem, remedy))


def instead_of(word: str, known: list[str]) -> str:
    """The remedy for an unknown word."""
    return did_you_mean(word, known, otherwise=f"choose among {', '.join(known)}")


@contextmanager
def collect_mistakes(mistakes: list[str]) -> Iterator[None]:
    """Catches ImpossibleSetting inside the block and adds its mistakes to the list."""
    try:
        yield
    except ImpossibleSetting as error:
        mistakes += error.mistakes


def raise_all(mistakes: list[str]) -> None:
    """Raises ImpossibleSetting with all mistakes, if there are any."""
    if mistakes:
        raise ImpossibleSetting(*mistakes)
