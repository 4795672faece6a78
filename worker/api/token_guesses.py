"""Slows down an address that tries one token after the other, but not the callers who have a token.

An address may try some wrong tokens at once and then one a second. Beyond that its tokens are not checked, not even a
valid one: otherwise the guesser would learn which one is valid. Two kinds of callers may share an address with a
guesser, behind one NAT or proxy, and must not suffer:

- A token that was valid from this address before is always accepted. So a guesser at the same address can test at full
  speed whether a token is one of those. That is the price for never locking its owner out.
- A wrong token that is sent again and again, such as a revoked one, counts as one guess.
"""

from collections import OrderedDict, deque
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

TRIES = 10
TRIES_A_SECOND = 1.0
_WRONG_REMEMBERED = 8  # of one address
_MOST_ADDRESSES = 10_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Verdict(StrEnum):
    """The result for a token."""

    VALID = "valid"
    WRONG = "wrong"
    NOT_LOOKED_AT = "not_looked_at"


class _Tries:
    """What one address has tried."""

    __slots__ = ("_at", "_left", "_wrong")

    def __init__(self, now: float) -> None:
        self._left = float(TRIES)
        self._at = now
        self._wrong: deque[bytes] = deque(maxlen=_WRONG_REMEMBERED)

    def refill(self, now: float) -> None:
        self._left = min(float(TRIES), self._left + (now - self._at) * TRIES_A_SECOND)
        self._at = now

    def is_known_wrong(self, digest: bytes) -> bool:
        return digest in self._wrong

    @property
    def used_up(self) -> bool:
        return self._left < 1

    def count(self, digest: bytes) -> None:
        self._left -= 1
        self._wrong.append(digest)


class TokenGuesses:
    """Remembers for each address what was tried from there. `now`: seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._familiar: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def has_tries_left(self, address: str, *, now: float) -> bool:
        """False if no token from this address is looked at now, unless it is familiar."""
        tries = self._tries.get(_neighbourhood(address))
        if tries is None:
            return True
        tries.refill(now)
        return not tries.used_up

    def judge(self, digest: bytes, address: str, *, is_valid: bool, now: float) -> Verdict:
        """The verdict on the token with this digest, which comes from this address."""
        neighbourhood = _neighbourhood(address)
        if is_valid and self._is_familiar(neighbourhood, digest):
            return Verdict.VALID
        tries = self._tries.get(neighbourhood)
        if tries is not None:
            self._tries.move_to_end(neighbourhood)
            if not is_valid and tries.is_known_wrong(digest):
                return Verdict.WRONG
            tries.refill(now)
            if tries.used_up:
                return Verdict.NOT_LOOKED_AT
        if is_valid:
            _remember(self._familiar, (neighbourhood, digest), None)
            return Verdict.VALID
        if tries is None:
            tries = _Tries(now)
            _remember(self._tries, neighbourhood, tries)
        tries.count(digest)
        return Verdict.WRONG

    def _is_familiar(self, neighbourhood: str, digest: bytes) -> bool:
        if (neighbourhood, digest) not in self._familiar:
            return False
        self._familiar.move_to_end((neighbourhood, digest))
        return True


def _remember(known: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    known[key] = value
    if len(known) > _MOST_ADDRESSES:
        known.popitem(last=False)


def _neighbourhood(text: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, because one caller may use any address in it."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else text
