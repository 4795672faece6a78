"""Connections in the order in which they are given up."""

from enum import Enum, auto
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.connections.connection import Connection


class State(Enum):
    """The state of a connection."""

    WAITED_FOR = auto()  # we wait for a request, or the rest of one
    ANSWERING = auto()  # its request is complete and being answered: it is never given up for another
    GONE = auto()


class Seats:
    """Connections of a port, or of one address on it.

    Those that never sent a genuine request are given up first; within each group the one that kept us waiting longest.
    """

    __slots__ = ("_proven", "_unproven", "taken")

    def __init__(self) -> None:
        # Dictionaries as ordered sets of the connections that we wait for.
        self._unproven: dict[Connection, None] = {}
        self._proven: dict[Connection, None] = {}
        self.taken = 0

    def enter(self, connection: "Connection") -> None:
        """Adds a connection that we wait for."""
        self.taken += 1
        self._unproven[connection] = None

    def move(self, connection: "Connection", after: State) -> None:
        """Records its new state, which may be the same as before; GONE frees its seat."""
        self._unproven.pop(connection, None)
        self._proven.pop(connection, None)
        if after is State.WAITED_FOR:
            (self._proven if connection.is_proven else self._unproven)[connection] = None
        elif after is State.GONE:
            self.taken -= 1

    def waited_for(self) -> tuple["Connection", ...]:
        """The connections that we wait for."""
        return (*self._unproven, *self._proven)

    def most_dispensable(self) -> "Connection | None":
        """The one to give up for another; None if all of them are being answered."""
        return next(chain(self._unproven, self._proven), None)
