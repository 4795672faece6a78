"""The name of a list or group: one spelling goes in, and lists are compared without regard to case.

Scopes of opt-outs are such names. ESPs number their groups, or name them in lower case; people write "News" and "news"
and mean one list. So two names are one list if they differ in case alone, in blanks around them, or in how an accent is
written; shown is the spelling that was seen first.
"""

import unicodedata

MOST_LIST_NAME_CHARACTERS = 200
_CUT = "…"


def fault_of_list_name(name: str) -> str | None:
    """What is wrong with a name that somebody gives us, as the end of a sentence; None if nothing is."""
    if not name.strip():
        return "is empty"
    tidy = _tidy(name)
    if len(tidy) > MOST_LIST_NAME_CHARACTERS:
        return f"has {len(tidy)} characters; the limit is {MOST_LIST_NAME_CHARACTERS}"
    return None if tidy.isprintable() else "holds a character that cannot be printed"


def normalise_list_name(name: str) -> str:
    """A name without fault in its one spelling: without blanks around it, accents composed. Its case stays."""
    return _tidy(name)


def salvage_list_name(name: str) -> str | None:
    """What can be stored of a name in an ESP's report or a link, which nobody can correct; None if that is nothing.

    What cannot be printed is left out, and what is too long is cut: the opt-out must not be lost for its name.
    """
    tidy = name if name.isascii() and name.isprintable() else _tidy(name)
    if not tidy.isprintable():
        tidy = "".join(char for char in tidy if char.isprintable())
    tidy = tidy.strip()
    if len(tidy) > MOST_LIST_NAME_CHARACTERS:
        tidy = tidy[: MOST_LIST_NAME_CHARACTERS - 1] + _CUT
    return tidy or None


def list_key(name: str) -> str:
    """The same for all spellings of one list. Empty for everything."""
    if name.isascii():
        return name.strip().lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
