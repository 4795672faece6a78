"""A reader of the feed of status changes, as an application is one: over HTTP, with its cursor."""

from http import HTTPStatus

import aiohttp
import msgspec
from msgspec import Struct

from tests.faults.topology import CONFIGURED_TOKEN, Topology


class _Change(Struct, frozen=True, kw_only=True):
    cursor: str


class _Portion(Struct, frozen=True, kw_only=True):
    changes: list[_Change]
    next: str


class FeedReader:
    """Reads on from where it is; `status` is that of the last answer."""

    def __init__(self, topology: Topology, cursor: str = "0-0") -> None:
        self.cursor = cursor
        self.status = HTTPStatus.OK
        self.answer = ""
        self._topology = topology

    @property
    def position(self) -> int:
        """The number in front of the cursor, by which an application orders changes."""
        return int(self.cursor.split("-")[0])

    async def read_all(self) -> list[int]:
        """The positions of all changes behind the cursor, up to the end or to an answer that is not 200."""
        positions: list[int] = []
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {CONFIGURED_TOKEN}"}) as session:
            while True:
                url = f"http://127.0.0.1:{self._topology.api_ports[0]}/v1/status-changes"
                async with session.get(url, params={"after": self.cursor, "limit": "1000"}) as answer:
                    self.status, content = HTTPStatus(answer.status), await answer.read()
                self.answer = content.decode()
                if self.status is not HTTPStatus.OK:
                    return positions
                portion = msgspec.json.decode(content, type=_Portion)
                self.cursor = portion.next
                if not portion.changes:
                    return positions
                positions += [int(change.cursor.split("-")[0]) for change in portion.changes]
