"""A wording: words that servers use, what they are about, and what they say about it.

An index by one word of each wording finds the few that may match a reply. Wordings match whole words of
`reply_words.read_words`: ` disk full ` does not match "disk fullness".
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from msgspec import Struct

from worker.providers.classification.neighbour import Neighbours
from worker.providers.classification.reply_words import THINGS, read_words, respell, spellings
from worker.providers.classification.subject import Predicate, Subject


class Wording(Struct, frozen=True, kw_only=True, gc=False):
    """One phrase, or a pattern over words, and its meaning."""

    name: str  # the phrase itself, as `sources try` shows it
    subject: Subject
    predicate: Predicate
    is_plain: bool  # it is believed even if the code says something else, such as 5.1.1
    rank: int  # of two that match, the one with the lower rank is believed
    needle: str = ""
    pattern: re.Pattern[str] | None = None
    neighbours: Neighbours | None = None


# Rank, start, end and wording: a tuple, because there is one for each wording that matches.
Match = tuple[int, int, int, Wording]
_place = itemgetter(0, 1)


class Group(Struct, frozen=True, kw_only=True, gc=False):
    """Wordings with one meaning."""

    subject: Subject
    predicate: Predicate
    phrases: tuple[str, ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()  # a word that must occur, and the pattern
    neighbours: Neighbours | None = None  # nouns, one of which must stand beside a phrase
    substrings: tuple[str, ...] = ()  # for languages without blanks between words, or with many endings
    is_plain: bool = False


def say(subject: Subject, predicate: Predicate, *phrases: str, plain: bool = False) -> Group:
    """Phrases that say `predicate` about `subject`. Plain ones are believed even if the code blames the recipient."""
    return Group(subject=subject, predicate=predicate, phrases=phrases, is_plain=plain)


def say_patterns(subject: Subject, predicate: Predicate, *patterns: tuple[str, str], plain: bool = False) -> Group:
    """Patterns over words. Each has a word without which it is not tried."""
    return Group(subject=subject, predicate=predicate, patterns=patterns, is_plain=plain)


def say_beside(
    subject: Subject,
    predicate: Predicate,
    nouns: frozenset[str],
    *phrases: str,
    plain: bool = False,
    behind: bool = True,
) -> Group:
    """Phrases that say `predicate` if one of the nouns stands before them or, with `behind`, after them."""
    neighbours = Neighbours(nouns=nouns, may_follow=behind)
    return Group(subject=subject, predicate=predicate, phrases=phrases, neighbours=neighbours, is_plain=plain)


def say_substrings(subject: Subject, predicate: Predicate, *substrings: str, plain: bool = False) -> Group:
    """Texts that may be parts of words, in replies that are not only ASCII."""
    return Group(subject=subject, predicate=predicate, substrings=substrings, is_plain=plain)


# Words of which most refusals consist. A wording that is indexed by one of them is tried for nearly all refusals.
_OF_EVERY_REFUSAL = frozenset(
    {
        *("user", "unknown", "mailbox", "recipient", "address", "not", "no", "such", "does", "exist", "rejected"),
        *("found", "is", "account", "invalid", "unavailable", "the", "to", "in", "mail", "message", "email", "you"),
        *("an", "and", "at", "by", "for", "from", "has", "its", "of", "we", "with", "your", "would", "been", "domain"),
        *("until", "want", "que", "de", "est", "ist", "la", "le", "der", "die", "das", "first", "local", "per", "host"),
    }
)
# Every domain of a block list has one of these labels (reply_words).
_LABELS_OF_BLOCKLISTS = frozenset(
    {
        *("spamhaus", "spamcop", "barracudacentral", "sorbs", "uceprotect", "abuseat", "dnsbl", "surriel", "mailspike"),
        *("senderscore", "spamrats", "dnswl", "backscatterer", "njabl", "dsbl", "invaluement", "blocklist", "spam"),
        *("junkemailfilter", "ignorant", "abusix", "spameatingmonkey", "manitu", "gbudb", "cymru"),
    }
)


class WordingTable:
    """All wordings, those that are believed first at the beginning."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._index: dict[str, tuple[Wording, ...]] = {}
        self._substrings: tuple[Wording, ...] = ()
        self.wordings = tuple(_wordings(groups))
        self._build()

    def matches(self, words: str) -> list[Match]:
        """All wordings that match, those that are believed first at the beginning."""
        hits: list[Match] = []
        index = self._index
        for word in dict.fromkeys(words.split()):
            candidates = index.get(word)
            if candidates is not None:
                _try(candidates, words, hits)
        if not words.isascii():
            _try(self._substrings, words, hits)
        if len(hits) > 1:
            hits.sort(key=_place)
        return hits

    def may_be_plain(self, tokens: frozenset[str], *, things: frozenset[str]) -> bool:
        """False if no plain wording can match a text with these tokens, and with names of these things."""
        for word in self._plain_words & tokens:
            nouns = self._plain[word]
            if nouns is None or not nouns.isdisjoint(tokens) or not nouns.isdisjoint(things):
                return True
        return False

    def _build(self) -> None:
        phrases = [wording for wording in self.wordings if wording.needle.startswith(" ")]
        frequency = Counter(word for wording in phrases for word in set(wording.needle.split()))
        index: defaultdict[str, list[Wording]] = defaultdict(list)
        for wording in self.wordings:
            if wording.pattern is not None:
                index[wording.needle].append(wording)
            elif wording.needle.startswith(" "):
                # By its rarest word: there are fewer wordings under "unknown" than under "user".
                words = [word for word in wording.needle.split() if "'" not in word]
                rarest = min(words, key=lambda word: (word in _OF_EVERY_REFUSAL, frequency[word], word))
                index[rarest].append(wording)
        self._index = {word: tuple(wordings) for word, wordings in index.items()}
        self._plain = _plain_words(index)
        self._plain_words = frozenset(self._plain)
        self._substrings = tuple(
            wording for wording in self.wordings if wording.pattern is None and not wording.needle.startswith(" ")
        )


def _plain_words(index: Mapping[str, Iterable[Wording]]) -> dict[str, frozenset[str] | None]:
    """The words by which plain wordings are found, in every spelling that a text may have.

    With each the words of which the text must have one as well; None if it needs none.
    """
    plain: dict[str, frozenset[str] | None] = dict.fromkeys(_LABELS_OF_BLOCKLISTS)
    for word, wordings in index.items():
        needs = [_needs(word, wording) for wording in wordings if wording.is_plain]
        if not needs:
            continue
        need = None if None in needs else spellings(frozenset(beside for some in needs if some for beside in some))
        for spelling in spellings(frozenset({word})):
            known = plain.get(spelling, frozenset())
            plain[spelling] = None if known is None or need is None else known | need
    return plain


def _needs(word: str, wording: Wording) -> frozenset[str] | None:
    """Words of which the text must have one, besides `word`, to match the wording; None if there are no such words."""
    if wording.neighbours is not None:
        # The first word of a noun of two words shows that the noun may be there.
        return frozenset(noun.replace("'", " ").split()[0] for noun in wording.neighbours.nouns)
    others = [other for other in wording.needle.split() if other != word] if wording.pattern is None else []
    return frozenset({others[0].partition("'")[0]}) if others else None


def _try(candidates: Sequence[Wording], words: str, matches: list[Match]) -> None:
    for wording in candidates:
        if wording.neighbours is not None:
            if (place := wording.neighbours.find(words, wording.needle)) is not None:
                matches.append((wording.rank, *place, wording))
        elif wording.pattern is None:
            start = words.find(wording.needle)
            if start >= 0:
                matches.append((wording.rank, start, start + len(wording.needle), wording))
        elif (fit := wording.pattern.search(words)) is not None:
            matches.append((wording.rank, fit.start(), fit.end(), wording))


def _wordings(groups: Iterable[Group]) -> Iterable[Wording]:
    known: set[str] = set()
    for rank, group in enumerate(groups):
        for phrase in group.phrases:
            read = read_words(phrase)
            needle = f" {phrase} " if phrase in THINGS else read.statement or read.advice
            if needle.strip() != " ".join(respell(phrase)):
                raise ValueError(f"wording {phrase!r} is read as {needle.strip()!r}: write it as it is read")
            if needle in known and not group.neighbours:
                raise ValueError(f"wording {phrase!r} stands twice: the second would never be believed")
            if not group.neighbours:
                known.add(needle)
            name = f"{phrase}, of a {group.subject}" if group.neighbours else phrase
            yield _wording(group, rank, name=name, needle=needle)
        for cue, pattern in group.patterns:
            yield _wording(group, rank, name=pattern, needle=cue, pattern=re.compile(pattern))
        for text in group.substrings:
            yield _wording(group, rank, name=text, needle=text)


def _wording(group: Group, rank: int, *, name: str, needle: str, pattern: re.Pattern[str] | None = None) -> Wording:
    return Wording(
        name=name,
        subject=group.subject,
        predicate=group.predicate,
        is_plain=group.is_plain,
        rank=rank,
        needle=needle,
        pattern=pattern,
        neighbours=group.neighbours,
    )
