"""Whether a safelist request makes sense, whoever it is about."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from schemas.decision_request import MOST_NOTE_CHARACTERS, MOST_TEXT_CHARACTERS
from schemas.safelist import PersonsWish, RequestKind
from schemas.vocabulary import Channel
from worker.errors import RequestRefused

_AHEAD = timedelta(days=1)  # of our clock: a date without a time, in any zone
_encoder = msgspec.json.Encoder(order="deterministic")


def require_sound_request(
    kind: RequestKind, note: str, wish: PersonsWish | None, *, addresses: int, now: datetime
) -> None:
    """Returns if the request makes sense. Raises RequestRefused."""
    if not note.strip():
        raise _refusal("A request without a reason.", "Say why: whoever decides reads it, and so does the history.")
    _require_text("note", note, MOST_NOTE_CHARACTERS)
    if wish is None:
        return
    if kind is RequestKind.BLOCK:
        raise _refusal("`wish` says nothing about a request to block somebody.", "Leave it out.")
    if addresses > 1:
        raise _refusal("`wish` is one person's, and the request names several.", "Send one request for each person.")
    if not wish.who.strip():
        raise _refusal("`wish.who` is empty.", "Name the person who asked for mail again.")
    _require_text("wish.who", wish.who, MOST_TEXT_CHARACTERS)
    _require_text("wish.words", wish.words, MOST_NOTE_CHARACTERS)
    if wish.when.tzinfo is None:
        raise _refusal("`wish.when` has no time zone.", "Send it as 2030-01-31T00:00:00Z.")
    if wish.when > now + _AHEAD:
        raise _refusal(f"`wish.when` is {wish.when.isoformat()}, which is ahead.", "Say when the person asked for it.")


def require_note(name: str, note: str | None, *, needed: bool) -> None:
    """Returns if the note of a decision can be stored, and is there where it is needed. Raises RequestRefused."""
    if needed and not (note or "").strip():
        raise _refusal(f"`{name}` is missing.", "Say why: the requester reads it.")
    if note is not None:
        _require_text(name, note, MOST_NOTE_CHARACTERS)


def asked_hash(
    kind: RequestKind,
    note: str,
    wish: PersonsWish | None,
    addresses: Iterable[str],
    *,
    account: str,
    channel: Channel,
) -> bytes:
    """The same for the same request about the same addresses (normalised), in whatever order; else another."""
    digest = hashlib.sha256(_encoder.encode(["safelist", kind, note, wish, account, channel]))
    for address in sorted(addresses):
        digest.update(b"\n" + address.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _require_text(name: str, text: str, most: int) -> None:
    if len(text) > most:
        raise _refusal(f"`{name}` has {len(text)} characters; the limit is {most}.", "Shorten it.")
    if any(not (char.isprintable() or char in "\n\t") for char in text):
        raise _refusal(f"`{name}` holds a character that cannot be printed.", "Take it out.")


def _refusal(detail: str, remedy: str) -> RequestRefused:
    return RequestRefused("bad-safelist-request", detail, remedy=remedy)
