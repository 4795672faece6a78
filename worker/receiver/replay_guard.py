"""Remembers used one-time tokens: a token that comes again with other data is a forgery made from an old request.

Some vendors sign a time and a token, but not the body. So an attacker who has seen one such request can send it with
another body, to this source or to another one with the same key; the guard refuses this. The same token with the same
data is the vendor's own retry. The token stands for everything that was signed: otherwise the attacker could alter the
rest.
"""

from collections import OrderedDict

from schemas.one_time_token import OneTimeToken

MAX_TOKENS = 200_000


class ReplayGuard:
    """The last tokens of all sources, in this process's memory.

    Each receiver has its own and refuses the forgeries that it can see. The processor finds those that only another
    receiver could see, or this one before its restart (worker.store.replay_tokens). At most `max_tokens` are kept; the
    oldest is dropped first.
    """

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._claims: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def claim(self, token: OneTimeToken, *, now: float) -> bool:
        """False if the token was used for other data. `now` is the time of a monotonic clock, in seconds.

        The claim holds at once, so that two simultaneous requests cannot both use a token.
        """
        self._forget_expired(now)
        known = self._claims.get(token.signed)
        if known is not None and known[1] > now:
            return known[0] == token.used_for
        self.remember(token, now=now)
        return True

    def remember(self, token: OneTimeToken, *, now: float) -> None:
        """Keeps the claim, because a webhook with this token is stored; other requests with it may still fail."""
        self._claims[token.signed] = (token.used_for, now + token.window_seconds)
        self._claims.move_to_end(token.signed)
        if len(self._claims) > self._max_tokens:
            self._claims.popitem(last=False)

    def release(self, token: OneTimeToken) -> None:
        """Takes the claim back, because the webhook was not stored: the token may be used again."""
        self._claims.pop(token.signed, None)

    def _forget_expired(self, now: float) -> None:
        # Sources keep tokens for different times, so expired ones may stand behind one that lasts: they go later.
        while self._claims:
            oldest = next(iter(self._claims))
            if self._claims[oldest][1] > now:
                return
            del self._claims[oldest]
