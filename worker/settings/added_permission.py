"""What is known of the permission of contacts that somebody adds without saying so: by who adds them."""

from collections.abc import Callable, Sequence

from schemas.decision import Permission

COMMAND = "command"  # as `bouncekeeper add` is named


def added_permission(default: str, of_callers: Sequence[str]) -> Callable[[str], Permission]:
    """By the name of a token, or COMMAND. `of_callers` are texts that `mistake_in` finds nothing wrong with."""
    named = dict(_parts(text) for text in of_callers)
    return lambda caller: Permission(named.get(caller, default))


def mistake_in(text: str) -> str | None:
    """What to write instead of the text; None if it is right."""
    name, permission = _parts(text)
    if name and permission in set(Permission):
        return None
    return f"write NAME=PERMISSION, with the name of a token or {COMMAND!r}, and one of {', '.join(Permission)}"


def _parts(text: str) -> tuple[str, str]:
    name, _, permission = text.rpartition("=")
    return name.strip(), permission.strip()
