"""The name of a list or group: one spelling goes in, and lists are compared without regard to case.

Scopes of opt-outs are such names. ESPs number their groups, or name them in lower case; people write "News" and "news"
and mean one list. So two names are one list if they differ in case alone, in blanks around them, or in how an accent is
written; shown is the spelling that was seen first. Marks that nobody sees or means, such as a soft hyphen or a change
of direction, are no part of a name. The joiners U+200C and U+200D are: Persian, Sinhala and many an emoji need them.
"""

import re
import unicodedata

from schemas.text_limit import cut_text

MOST_LIST_NAME_CHARACTERS = 200

# Soft hyphen, zero width space, byte order mark, and marks, embeddings and isolates of direction: pasted along unseen.
_UNMEANT = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Control characters, separators of lines and paragraphs, surrogates: they break a line, or cannot be stored.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def fault_of_list_name(name: str) -> str | None:
    """What is wrong with a name that somebody gives us, as the end of a sentence; None if nothing is."""
    tidy = _tidy(name)
    if _shows_nothing(tidy):
        return "is empty"
    if len(tidy) > MOST_LIST_NAME_CHARACTERS:
        return f"has {len(tidy)} characters; the limit is {MOST_LIST_NAME_CHARACTERS}"
    return "holds a character that cannot be printed" if _REFUSED.search(tidy) else None


def normalise_list_name(name: str) -> str:
    """A name without fault in its one spelling: no blanks around it, no unseen marks, accents composed. Case stays."""
    return _tidy(name)


def salvage_list_name(name: str) -> str | None:
    """What can be stored of a name in an ESP's report or a link, which nobody can correct; None if that is nothing.

    What cannot be printed is left out, and what is too long is cut: the opt-out must not be lost for its name.
    """
    tidy = name.strip() if name.isascii() and name.isprintable() else _tidy(_REFUSED.sub("", name))
    if _shows_nothing(tidy):
        return None
    return cut_text(tidy, MOST_LIST_NAME_CHARACTERS)


def list_key(name: str) -> str:
    """The same for all spellings of one list. Empty for everything."""
    if name.isascii():
        return name.strip().lower()
    return unicodedata.normalize("NFC", _tidy(name).casefold())


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", _UNMEANT.sub("", name)).strip()


def _shows_nothing(tidy: str) -> bool:
    return not tidy or (
        not tidy.isascii() and all(char.isspace() or unicodedata.category(char) == "Cf" for char in tidy)
    )
