"""A noun beside a phrase, with only joining words between them: "the user … is currently suspended"."""

from msgspec import Struct

from worker.providers.classification.nearest_noun import NOUNS

# Words that may stand between a noun and what is said about it.
_JOINING = frozenset(
    {
        *(
            "is",
            "was",
            "has",
            "have",
            "been",
            "are",
            "were",
            "be",
            "being",
            "do",
            "does",
            "appears",
            "seems",
            "already",
        ),
        *(
            "currently",
            "temporarily",
            "permanently",
            "temporary",
            "now",
            "not",
            "yet",
            "here",
            "there",
            "it",
            "because",
        ),
        *("to", "the", "this", "that", "a", "an", "of", "or", "and", "for", "at", "on"),
        *("name", "address", "account", "mailbox", "email", "mail", "user", "recipient"),
        *("RECIPIENT", "ADDRESS", "HOST", "ID"),
    }
)
# Words that may stand between an adjective and its noun.
_COMPOUNDING = frozenset({"email", "mail", "user", "recipient", "destination"})
# A phrase that follows one of these, or another noun, is about that word: "message expired mailbox not responding".
_OTHER_NOUNS = frozenset(
    {
        *("delivery", "deliveries", "password", "license", "certificate", "queue", "transaction", "time", "transfer"),
        *("retry", "lifetime", "protocol", "sending", "temporarily", "permanently"),
    }
)
_MOST_BEFORE, _MOST_AFTER = 4, 1  # joining words
_LONGEST = 160  # characters that the noun and the joining words may take


class Neighbours(Struct, frozen=True, kw_only=True, gc=False):
    """The nouns that a phrase may be about: single words, or two words with a blank between them."""

    nouns: frozenset[str]
    may_follow: bool  # "suspended user", beside "user suspended"

    def find(self, words: str, phrase: str) -> tuple[int, int] | None:
        """Where the phrase with a noun beside it begins and ends; None if it does not occur.

        Both texts begin and end with a blank.
        """
        start = words.find(phrase)
        while start >= 0:
            end = start + len(phrase)
            if (noun := self._before(words, start)) >= 0:
                return noun, end
            if (
                self.may_follow
                and self._follows(words[end : end + _LONGEST].split(None, _MOST_AFTER + 2))
                and not _is_of_another(words[max(0, start - _LONGEST) : start])
            ):
                return start, end
            start = words.find(phrase, end - 1)
        return None

    def _before(self, words: str, start: int) -> int:
        """Where the noun before a place begins; -1 if there is none."""
        near = words[max(0, start - _LONGEST) : start].split()
        for place in range(len(near) - 1, max(-1, len(near) - 2 - _MOST_BEFORE), -1):
            word = near[place]
            if place and f"{near[place - 1]} {word}" in self.nouns:
                return words.rfind(f" {near[place - 1]} {word}", 0, start + 1)
            if word in self.nouns:
                return words.rfind(f" {word}", 0, start + 1)
            if word not in _JOINING:
                return -1
        return -1

    def _follows(self, near: list[str]) -> bool:
        for place, word in enumerate(near[: _MOST_AFTER + 1]):
            if word in self.nouns or " ".join(near[place : place + 2]) in self.nouns:
                return True
            if word not in _COMPOUNDING:
                return False
        return False


def _is_of_another(before: str) -> bool:
    last = before.rpartition(" ")[2]
    return last in NOUNS or last in _OTHER_NOUNS
