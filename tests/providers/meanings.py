"""What a vendor's words mean, written by hand for its tests, and sorted by what they become."""

from collections.abc import Mapping

from schemas.vocabulary import Cause, Kind


def meanings(words: Mapping[tuple[Kind, Cause], str]) -> dict[str, tuple[Kind, Cause]]:
    """The meaning of each word, from the words of each meaning, with blanks between; no word has two."""
    table: dict[str, tuple[Kind, Cause]] = {}
    for meaning, spelled in words.items():
        for word in spelled.split():
            assert word not in table, f"{word} has two meanings"
            table[word] = meaning
    return table
