"""The tables of safelist.toml as rules."""

import tomllib
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from schemas.vocabulary import Cause
from worker.policy.cause_groups import CAUSE_GROUPS
from worker.policy.duration import read_duration
from worker.policy.safelist import AttemptLimits, Ruling, SafelistRules

_WORDS = (
    "young_account",
    "bad_reputation",
    "doubtful_reputation",
    "complaint",
    "listing",
    "approved_before",
    "early",
    "other_cause",
    "block",
)


@cache
def safelist_tables() -> dict[str, dict[str, Any]]:
    """Each preset by its name, the recommended one first. Do not change it: the file is read only once."""
    return tomllib.loads(files("worker.policy").joinpath("safelist.toml").read_text(encoding="utf-8"))


def safelist_rules(
    preset: str = "recommended", *, limits: AttemptLimits | None = None, account_age: timedelta = timedelta(days=90)
) -> SafelistRules:
    """The rules of a preset. Raises KeyError if there is none of this name."""
    table = safelist_tables()[preset]
    causes = [CAUSE_GROUPS[word] if word.startswith("@") else frozenset({Cause(word)}) for word in table["causes"]]
    early_within = read_duration(table["early_within"])
    if early_within is None:
        raise ValueError(f"preset {preset}: early_within must end")
    return SafelistRules(
        name=preset,
        limits=AttemptLimits() if limits is None else limits,
        account_age=account_age,
        early_within=early_within,
        causes=frozenset().union(*causes),
        **{word: Ruling(table[word]) for word in _WORDS},
    )
