"""A rule that reads a cause from a server's words.

Most rules are literal phrases in lower case: searching for one costs a twentieth of a regular expression,
and there are many. A rule with a pattern is tried only where its cue is found.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from schemas.vocabulary import Cause


class TextRule(Struct, frozen=True, kw_only=True, gc=False):
    """Any one of the phrases, or the pattern where `cue` occurs, means the cause."""

    cause: Cause
    phrases: tuple[str, ...] = ()
    cue: str = ""
    pattern: re.Pattern[str] | None = None


def rule(cause: Cause, *phrases: str) -> TextRule:
    """A rule of literal phrases, in lower case."""
    return TextRule(cause=cause, phrases=phrases)


def pattern_rule(cause: Cause, cue: str, pattern: str) -> TextRule:
    """A rule of a regular expression, tried where the literal `cue` occurs."""
    return TextRule(cause=cause, cue=cue, pattern=re.compile(pattern))


def cause_in_words(text: str, rules: Sequence[TextRule]) -> Cause | None:
    """The cause of the first rule that fits, None when none does. `text` is in lower case."""
    for rule in rules:
        for phrase in rule.phrases:
            if phrase in text:
                return rule.cause
        if rule.pattern is not None and rule.cue in text and rule.pattern.search(text):
            return rule.cause
    return None
