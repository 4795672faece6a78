"""The operator's own rules, which correct a wrong verdict without a new version: `[classification.rules.NAME]`.

They are tried before everything else. A rule has words, with `*` for up to eight words between them, or literal text.
There are no regular expressions, so no rule can make classification slow.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from schemas.vocabulary import Cause
from worker.providers.classification.reply import Reply, Stage
from worker.providers.classification.reply_words import Words
from worker.providers.classification.subject import Subject

_GAP_WORDS = 8


class OperatorRule(Struct, frozen=True, kw_only=True):
    """If one of `words` or `text` occurs, and all conditions are met, this is the cause."""

    name: str
    cause: Cause
    words: tuple[tuple[str, ...], ...] = ()  # each split at its `*`; the parts begin and end with a blank
    text: tuple[str, ...] = ()  # literal text, in lower case
    stage: Stage | None = None
    status: str | None = None  # "5.7.1", or "7.1" for both classes
    subject: Subject | None = None  # what `sources try` shows as the subject

    def fits(self, reply: Reply, words: Words) -> bool:
        """True if the rule applies to the reply."""
        if self.stage is not None and reply.stage is not self.stage:
            return False
        if self.status is not None and not (reply.enhanced_status or "").endswith(self.status):
            return False
        if any(text in reply.text for text in self.text):
            return True
        return any(_occurs(parts, words.statement) or _occurs(parts, words.advice) for parts in self.words)


class OperatorRules:
    """All rules of the operator, with how often each has decided."""

    def __init__(self, rules: Sequence[OperatorRule] = ()) -> None:
        self.rules = tuple(rules)
        self._decided: Counter[str] = Counter()

    def decide(self, reply: Reply, words: Words) -> OperatorRule | None:
        """The first rule that applies; None if none does."""
        for rule in self.rules:
            if rule.fits(reply, words):
                self._decided[rule.name] += 1
                return rule
        return None

    def take_counts(self) -> Counter[str]:
        """How often each rule has decided since the last call."""
        counts, self._decided = self._decided, Counter()
        return counts


class _InForce:
    """The rules of this process: the modules of vendors call the classification, and know no settings."""

    rules = OperatorRules()


def use_operator_rules(rules: Sequence[OperatorRule]) -> OperatorRules:
    """Makes this process classify with these rules. To be called once, at the start."""
    _InForce.rules = OperatorRules(rules)
    return _InForce.rules


def operator_rules() -> OperatorRules:
    """The rules in force."""
    return _InForce.rules


def _occurs(parts: Sequence[str], words: str) -> bool:
    """True if all parts occur in their order, with at most eight words between two."""
    end = 0
    for place, part in enumerate(parts):
        start = words.find(part, max(0, end - 1))
        if start < 0 or (place and len(words[end:start].split()) > _GAP_WORDS):
            return False
        end = start + len(part)
    return bool(parts)
