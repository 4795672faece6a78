"""A small DNS server on loopback, made of dnspython's own wire tools."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SILENT, BROKEN = "silent", "broken"
# What each domain has: records as (type, text), or that its nameserver is silent or broken.
ZONE: Mapping[str, list[tuple[str, str]] | str] = {
    "mx.example": [("MX", "20 backup.mx.example."), ("MX", "10 mail.mx.example.")],
    "null.example": [("MX", "0 .")],
    "bare.example": [("A", "192.0.2.7")],
    "bare6.example": [("AAAA", "2001:db8::7")],
    "text.example": [("TXT", '"nothing here"')],
    "silent.example": SILENT,
    "broken.example": BROKEN,
}


class DnsServer(asyncio.DatagramProtocol):
    """Answers questions about ZONE; any other name does not exist. It counts them by domain."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        records = ZONE.get(name)
        if records == SILENT:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif isinstance(records, str):
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            kind = dns.rdatatype.to_text(question.rdtype)
            texts = [text for known, text in records if known == kind]
            if texts:
                answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, texts))
        assert self._transport is not None
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    """A server on a free port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(DnsServer, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
