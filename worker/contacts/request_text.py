"""Checks texts in requests: they must be fit to be stored and shown."""

from schemas.list_name import fault_of_list_name, normalise_list_name
from worker.errors import RequestRefused


def require_text(kind: str, name: str, text: str, most: int) -> None:
    """Returns if the text can be stored. Raises RequestRefused of this kind."""
    if len(text) > most:
        raise RequestRefused(kind, f"`{name}` has {len(text)} characters; the limit is {most}.", remedy="Shorten it.")
    if not text.isprintable() and any(not (char.isprintable() or char in "\n\t") for char in text):
        raise RequestRefused(kind, f"`{name}` holds a character that cannot be printed.", remedy="Take it out.")


def require_list_name(kind: str, name: str, text: str) -> str:
    """The name of a list or group in its one spelling. Raises RequestRefused of this kind."""
    if (fault := fault_of_list_name(text)) is not None:
        raise RequestRefused(
            kind,
            f"`{name}` {fault}.",
            remedy="Name the list or group as its opt-outs do, or leave it out: then everything is meant.",
        )
    return normalise_list_name(text)
