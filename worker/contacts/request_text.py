"""Texts in requests: only what can be stored and shown is taken in."""

from worker.errors import RequestRefused


def require_text(kind: str, name: str, text: str, most: int) -> None:
    """Returns if the text can be stored. Raises RequestRefused of this kind."""
    if len(text) > most:
        raise RequestRefused(kind, f"`{name}` has {len(text)} characters; the limit is {most}.", remedy="Shorten it.")
    if not text.isprintable() and any(not (char.isprintable() or char in "\n\t") for char in text):
        raise RequestRefused(kind, f"`{name}` holds a character that cannot be printed.", remedy="Take it out.")
