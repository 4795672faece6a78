"""One-time tokens that were used: a token seen again with other data is a forgery made from an old request.

Some vendors sign a time and a token, but not the body. Whoever has seen one such request could send another
body with it, to this source or to another that has the same key; the guard refuses that. The same token with the same
data is the vendor's own retry. A token is all that was signed: were it a part, the rest could be chosen anew.
"""

from collections import OrderedDict

from schemas.one_time_token import OneTimeToken

MAX_TOKENS = 200_000


class ReplayGuard:
    """The last tokens of all sources, in this process's memory.

    Each receiver has its own, and refuses at once what it has seen itself; what another one has seen, or this one
    before it was started anew, is found by the processor (worker.store.replay_tokens). At most `max_tokens` are
    kept, the oldest goes first.
    """

    def __init__(self, max_tokens: int = MAX_TOKENS) -> None:
        self._max_tokens = max_tokens
        self._used: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def claim(self, token: OneTimeToken, *, now: float) -> bool:
        """False when the token was used for other data. `now` is any clock that only goes forward, in seconds.

        A claim holds from now on, so that two requests at the same time cannot both use a token.
        """
        self._forget_expired(now)
        known = self._used.get(token.signed)
        if known is not None and known[1] > now:
            return known[0] == token.used_for
        self.remember(token, now=now)
        return True

    def remember(self, token: OneTimeToken, *, now: float) -> None:
        """Makes a claim last: what the token was used for is stored, whatever became of its twins."""
        self._used[token.signed] = (token.used_for, now + token.window_seconds)
        self._used.move_to_end(token.signed)
        if len(self._used) > self._max_tokens:
            self._used.popitem(last=False)

    def release(self, token: OneTimeToken) -> None:
        """Takes a claim back: what it was used for was not stored, so the token is as good as new."""
        self._used.pop(token.signed, None)

    def _forget_expired(self, now: float) -> None:
        # Sources differ in their windows, so one that lasts may stand before some that do not: they go later.
        while self._used:
            oldest = next(iter(self._used))
            if self._used[oldest][1] > now:
                return
            del self._used[oldest]
