"""Opens new connections that have sent something, a few at a time and in turns by address.

So a flood from one address delays only itself: callers from other addresses, and those with open connections, wait
at most one turn.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.connections.connection import Connection

# In one turn of the event loop: a genuine question takes several turns, and opening one costs 0.15 to 0.4 ms.
_AT_ONCE = 8


class Opening:
    """The connections that wait to be opened; each turn of the loop opens some."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Connection]] = {}  # by address; the first one's turn is next
        self._opened = 0  # in this turn
        self._next_turn: asyncio.Handle | None = None

    def is_due(self) -> bool:
        """True if one may be opened at once, which is then counted."""
        if self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._take_turn)
        if self._waiting or self._opened >= _AT_ONCE:
            return False
        self._opened += 1
        return True

    def wait(self, connection: "Connection") -> None:
        """Opens it later, by Connection.open."""
        self._waiting.setdefault(connection.address_block, deque()).append(connection)

    def _take_turn(self) -> None:
        self._next_turn = None
        self._opened = 0
        while self._waiting and self._opened < _AT_ONCE:
            address, connections = next(iter(self._waiting.items()))
            del self._waiting[address]
            if connections.popleft().open():
                self._opened += 1
            if connections:
                self._waiting[address] = connections  # behind the others
        if self._waiting:
            self._next_turn = asyncio.get_running_loop().call_soon(self._take_turn)
