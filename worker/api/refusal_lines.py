"""Log lines about refused tokens: the first of an address at once, then one a minute with the count; few in all."""

from collections import OrderedDict

from worker.process.logs import get_logger

_log = get_logger()

_EVERY_SECONDS = 60.0
_MOST_LINES = 30  # in that time, whatever the number of addresses
_MOST_ADDRESSES = 1_000


class _Address:
    __slots__ = ("count", "due_at")

    def __init__(self) -> None:
        self.count = 0
        self.due_at = 0.0


class RefusalLines:
    """Writes `token.refused`."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._window_ends_at = 0.0
        self._lines_left = 0

    def add(self, address: str, reason: str, *, now: float) -> None:
        """Counts one more refused token and logs a line if one is due. `now`: seconds of a monotonic clock."""
        known = self._addresses.setdefault(address, _Address())
        self._addresses.move_to_end(address)
        if len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        known.count += 1
        if now < known.due_at or not self._may_write(now):
            return
        _log.warning("token.refused", remote_address=address, reason=reason, count=known.count)
        known.count, known.due_at = 0, now + _EVERY_SECONDS

    def _may_write(self, now: float) -> bool:
        if now >= self._window_ends_at:
            self._window_ends_at, self._lines_left = now + _EVERY_SECONDS, _MOST_LINES
        self._lines_left -= 1
        return self._lines_left >= 0
