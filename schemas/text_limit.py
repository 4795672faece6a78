"""How a text that is too long is shown: cut, with a sign that something is missing."""

_CUT = "…"


def cut_text(text: str, limit: int) -> str:
    """The text in at most `limit` characters, the last of them "…" if it was longer."""
    return text if len(text) <= limit else text[: limit - 1] + _CUT
