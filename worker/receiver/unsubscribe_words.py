"""Every text of the unsubscribe page, in one place. The setting `unsubscribe.words_file` replaces any of them.

`{company}`, `{list}` and `{address}` are filled in. No text may hold HTML.
"""

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from worker.errors import ImpossibleSetting


class ChoiceWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The texts of one choice."""

    button: str
    says: str  # below the button
    noted: str  # what the answer says


class UnsubscribeWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The texts of the page and its answers."""

    language: str = "en"
    title: str = "Mail from {company}"
    whose: str = "For {address}"
    question: str = "What should change? Nothing changes before you press a button."
    fewer: ChoiceWords = ChoiceWords(
        button="Fewer messages",
        says="You stay on the list. Whoever plans the messages sees your wish.",
        noted="You want fewer messages. What you have ended before stays ended.",
    )
    list: ChoiceWords = ChoiceWords(
        button="No more of “{list}”",
        says="Only this list ends. Other messages still come.",
        noted="You get no more of “{list}”.",
    )
    all_lists: ChoiceWords = ChoiceWords(  # in the place of `list`, if the link names none
        button="No more newsletters",
        says="All lists end. Receipts and notices still come.",
        noted="You get no more newsletters.",
    )
    commercial: ChoiceWords = ChoiceWords(
        button="Only receipts and notices",
        says="You get what belongs to an order or an account of yours, and nothing else.",
        noted="You get only what belongs to an order or an account of yours.",
    )
    never: ChoiceWords = ChoiceWords(
        button="No message ever again",
        says="You get nothing at all, not even receipts.",
        noted="You get no message at all any more, not even receipts.",
    )
    noted_title: str = "It is noted"
    on_its_way: str = "A message that is already on its way may still arrive."
    undo: str = "If you change your mind, sign up again: a new sign-up ends this."
    other_choice: str = "Make another choice"
    broken_link_title: str = "This link does not work"
    broken_link: str = (
        "Nothing has changed. The link is not complete, or it is not ours. Open it from the message itself, or answer "
        "the message and ask to be taken off."
    )
    unclear_title: str = "Nothing has changed"
    unclear: str = (
        "We could not read what you chose. Go back to the choices and press one of the buttons, or answer the message "
        "and ask to be taken off."
    )
    show_choices: str = "Show the choices"
    later_title: str = "Please try again"
    later: str = "Nothing has changed yet: we could not note your choice just now. Go back and press the button again."


def read_words(file: str) -> UnsubscribeWords:
    """The texts; those in the TOML file replace ours. Raises ImpossibleSetting."""
    if not file:
        return UnsubscribeWords()
    where = f"unsubscribe.words_file names the file {file}, "
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        words = msgspec.convert(table, UnsubscribeWords)
        for text in _texts(words):
            text.format(company="", list="", address="")
    except OSError as error:
        raise ImpossibleSetting(f"{where}which cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeError, msgspec.ValidationError) as error:
        raise ImpossibleSetting(f"{where}in which something is wrong: {error}; docs/unsubscribe.md shows one") from None
    except (KeyError, IndexError, ValueError, AttributeError):
        raise ImpossibleSetting(
            f"{where}in which a text has other braces than {{company}}, {{list}} and {{address}}"
        ) from None
    return words


def _texts(words: UnsubscribeWords) -> list[str]:
    texts: list[str] = []
    for value in msgspec.structs.astuple(words):
        texts += [value] if isinstance(value, str) else msgspec.structs.astuple(value)
    return texts
