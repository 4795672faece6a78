"""Connections in the order in which one can do without them."""

from enum import Enum, auto
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.connections.connection import Connection


class State(Enum):
    """What a connection is at."""

    WAITED_FOR = auto()  # a request of it, or the rest of one, is yet to come
    ANSWERING = auto()  # its request has come and is being answered: it is never given up for another
    GONE = auto()


class Seats:
    """Some connections, all of a port or those of one address.

    First those can be done without that never proved to be genuine, then the others; of each the one that has kept
    us waiting longest.
    """

    __slots__ = ("_proven", "_unproven", "taken")

    def __init__(self) -> None:
        # Dictionaries as ordered sets of those that are waited for.
        self._unproven: dict[Connection, None] = {}
        self._proven: dict[Connection, None] = {}
        self.taken = 0

    def enter(self, connection: "Connection") -> None:
        """One more, that is waited for."""
        self.taken += 1
        self._unproven[connection] = None

    def move(self, connection: "Connection", after: State) -> None:
        """It is at something else now, or at the same thing anew; GONE frees its seat."""
        self._unproven.pop(connection, None)
        self._proven.pop(connection, None)
        if after is State.WAITED_FOR:
            (self._proven if connection.is_proven else self._unproven)[connection] = None
        elif after is State.GONE:
            self.taken -= 1

    def waited_for(self) -> tuple["Connection", ...]:
        """Those of which something is yet to come."""
        return (*self._unproven, *self._proven)

    def most_dispensable(self) -> "Connection | None":
        """The one to give up for another; None when all of them are being answered."""
        return next(chain(self._unproven, self._proven), None)
