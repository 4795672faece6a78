"""Limits the simultaneous requests of one address behind a proxy, where connections do not tell callers apart."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.connections.remote_address import address_block
from worker.errors import TooManyAtOnce


class RequestsAtOnce:
    """Counts the requests under way by address. An IPv6 address counts as its /64."""

    def __init__(self, max_per_address: int) -> None:
        self._max = max_per_address
        self._under_way: dict[str, int] = {}

    @contextmanager
    def one(self, address: str) -> Iterator[None]:
        """Counts one request of this address inside the block. Raises TooManyAtOnce if the limit is reached."""
        block = address_block(address)
        count = self._under_way.get(block, 0)
        if count >= self._max:
            raise TooManyAtOnce(
                f"{count} requests of {block} are already under way: send fewer at a time, or raise "
                "connections.max_per_address"
            )
        self._under_way[block] = count + 1
        try:
            yield
        finally:
            if self._under_way[block] == 1:
                del self._under_way[block]
            else:
                self._under_way[block] -= 1
