"""A DNS that knows one name, as Docker's does: it answers with the address of every replica that runs."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

_HEADER_BYTES = 12
_TYPE_A, _CLASS_IN = 1, 1
_ANSWER, _NO_SUCH_NAME = 0x8580, 0x8583
_TTL_SECONDS = 600  # as Docker's


class ReplicaDns(asyncio.DatagramProtocol):
    """Every question is taken for one about the replicas' name."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        end = data.index(0, _HEADER_BYTES) + 5  # the name, its type and class
        asks_ipv4 = struct.unpack(">H", data[end - 4 : end - 2])[0] == _TYPE_A
        addresses = self.addresses if asks_ipv4 else []
        flags = _ANSWER if self.addresses else _NO_SUCH_NAME
        answer = data[:2] + struct.pack(">5H", flags, 1, len(addresses), 0, 0) + data[_HEADER_BYTES:end]
        for address in addresses:
            # 0xC00C points to the name of the question.
            answer += struct.pack(">3HIH", 0xC00C, _TYPE_A, _CLASS_IN, _TTL_SECONDS, 4) + IPv4Address(address).packed
        self._transport.sendto(answer, addr)


@asynccontextmanager
async def replica_dns() -> AsyncIterator[tuple[ReplicaDns, int]]:
    """The DNS and its port of 127.0.0.1. It knows no address at first."""
    transport, dns = await asyncio.get_running_loop().create_datagram_endpoint(ReplicaDns, ("127.0.0.1", 0))
    try:
        yield dns, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
