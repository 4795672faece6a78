"""Checks whether a safelist request makes sense, independent of the contact."""

from collections.abc import Iterable
from datetime import datetime

from schemas.decision_request import MOST_NOTE_CHARACTERS, MOST_TEXT_CHARACTERS
from schemas.safelist import PersonsWish, RequestKind
from schemas.vocabulary import Channel
from worker.contacts.act_start import hash_of_request
from worker.contacts.request_text import require_text
from worker.contacts.request_time import require_no_later_than_now, require_zone
from worker.errors import RequestRefused

_KIND = "bad-safelist-request"  # of the refusals


def require_sound_request(
    kind: RequestKind, note: str, wish: PersonsWish | None, *, addresses: int, now: datetime
) -> None:
    """Returns if the request makes sense. Raises RequestRefused."""
    if not note.strip():
        raise _refusal("A request without a reason.", "Say why: whoever decides reads it, and so does the history.")
    require_text(_KIND, "note", note, MOST_NOTE_CHARACTERS)
    if wish is None:
        return
    if kind is RequestKind.BLOCK:
        raise _refusal("`wish` says nothing about a request to block somebody.", "Leave it out.")
    if addresses > 1:
        raise _refusal("`wish` is one person's, and the request names several.", "Send one request for each person.")
    if not wish.who.strip():
        raise _refusal("`wish.who` is empty.", "Name the person who asked for mail again.")
    require_text(_KIND, "wish.who", wish.who, MOST_TEXT_CHARACTERS)
    require_text(_KIND, "wish.words", wish.words, MOST_NOTE_CHARACTERS)
    require_zone(_KIND, "wish.when", wish.when)
    require_no_later_than_now(_KIND, "wish.when", wish.when, now, remedy="Say when the person asked for it.")


def require_note(name: str, note: str | None, *, needed: bool) -> None:
    """Returns if the note of a decision can be stored, and is not missing if it is needed. Raises RequestRefused."""
    if needed and not (note or "").strip():
        raise _refusal(f"`{name}` is missing.", "Say why: the requester reads it.")
    if note is not None:
        require_text(_KIND, name, note, MOST_NOTE_CHARACTERS)


def asked_hash(
    kind: RequestKind,
    note: str,
    wish: PersonsWish | None,
    addresses: Iterable[str],
    *,
    account: str,
    channel: Channel,
) -> bytes:
    """Equal for the same request about the same addresses (normalised) in any order, and different otherwise."""
    return hash_of_request(["safelist", kind, note, wish, account, channel], addresses)


def _refusal(detail: str, remedy: str) -> RequestRefused:
    return RequestRefused(_KIND, detail, remedy=remedy)
