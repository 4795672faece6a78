"""What is wrong with a policy: each mistake in one form, and all of them at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.errors import ImpossibleSetting
from worker.process.spelling import did_you_mean


def mistake(where: str, key: str, wrong: str, remedy: str) -> str:
    """What is told of one key: where it stands, what is wrong with it, what to do."""
    return f"{where}: {key} {wrong}; {remedy}"


def impossible(where: str, key: str, wrong: str, remedy: str) -> ImpossibleSetting:
    """The same as the error to raise."""
    return ImpossibleSetting(mistake(where, key, wrong, remedy))


def instead_of(word: str, known: list[str]) -> str:
    """What to write instead of a word that is not known."""
    return did_you_mean(word, known, otherwise=f"choose among {', '.join(known)}")


@contextmanager
def collected_in(mistakes: list[str]) -> Iterator[None]:
    """What is wrong inside of the block is added to `mistakes`, and the block is left; nothing is raised."""
    try:
        yield
    except ImpossibleSetting as error:
        mistakes += error.mistakes


def raise_all(mistakes: list[str]) -> None:
    """Raises ImpossibleSetting with all of the mistakes, if there are any."""
    if mistakes:
        raise ImpossibleSetting(*mistakes)
