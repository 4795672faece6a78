"""The caller's address: the peer's, or the one that a trusted proxy names."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import hdrs, web

_Address = IPv4Address | IPv6Address

# More proxies in a row than anybody has; the caller wrote everything further left.
_MAX_HOPS = 16
_IPV6_HOST_BITS = 64
_MAX_CACHED_CHARACTERS = 128  # a long list is read anew each time, so that the cache stays small
# 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1], [2001:db8::1]:443. Zone ids mean nothing on another machine.
_HOP = re.compile(
    r"(?P<v4>[0-9.]+)(?::[0-9]{1,5})?|\[(?P<bracketed>[0-9a-f.]*:[0-9a-f:.]*)\](?::[0-9]{1,5})?|(?P<v6>[0-9a-f:.]+)",
    re.ASCII | re.IGNORECASE,
)


class RemoteAddress:
    """Reads X-Forwarded-For from the right, and trusts it only as far as trusted proxies wrote it.

    Addresses are in their shortest form; IPv4 within IPv6 (`::ffff:192.0.2.1`) becomes IPv4.
    """

    def __init__(self, trusted_proxies: tuple[str, ...]) -> None:
        self._trusted: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(network, strict=False) for network in trusted_proxies
        )
        # Callers are few and come again and again.
        self._read_cached = lru_cache(maxsize=4096)(self._read)
        self.is_trusted = lru_cache(maxsize=4096)(self._is_trusted_peer)

    def of_request(self, request: web.BaseRequest) -> str:
        """The caller's address. All X-Forwarded-For lines are one list (RFC 9110, section 5.2).

        A proxy may write its line below the one that the caller sent: the first line alone would be the caller's
        own claim.
        """
        peer = request.remote or ""
        lines = request.headers.getall(hdrs.X_FORWARDED_FOR, None) if self._trusted else None
        return self.of(peer, ",".join(lines) if lines else None)

    def of(self, peer: str, forwarded_for: str | None) -> str:
        """The caller's address. Ignores the header unless a trusted proxy sent it.

        If a hop cannot be read, the proxy that wrote it counts as the caller.
        """
        read = self._read_cached if len(forwarded_for or "") <= _MAX_CACHED_CHARACTERS else self._read
        return read(peer, forwarded_for)

    def _is_trusted_peer(self, peer: str) -> bool:
        """True if this peer is a trusted proxy."""
        address = _peer_address(peer)
        return address is not None and self._is_trusted(address)

    def _read(self, peer: str, forwarded_for: str | None) -> str:
        address = _peer_address(peer)
        if address is None:
            return peer
        if forwarded_for is None or not self._is_trusted(address):
            return str(address)
        for hop in forwarded_for.rsplit(",", _MAX_HOPS)[: -_MAX_HOPS - 1 : -1]:
            text = hop.strip(" \t")
            if not text:
                continue  # RFC 9110, section 5.6.1: ignore empty elements of a list
            hop_address = _hop_address(text)
            if hop_address is None:
                break
            address = hop_address
            if not self._is_trusted(address):
                break
        return str(address)

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _peer_address(text: str) -> _Address | None:
    """The address of a socket's peer, without its zone id; None if the peer has no address."""
    return _address(text.partition("%")[0])


def _hop_address(text: str) -> _Address | None:
    match = _HOP.fullmatch(text)
    return None if match is None else _address(match["v4"] or match["bracketed"] or match["v6"])


def _address(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4096)
def address_block(address: str) -> str:
    """The addresses of one caller: an IPv4 address, or the /64 network of an IPv6 address."""
    read = _peer_address(address)
    if isinstance(read, IPv6Address):
        return str(ip_network((int(read) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS, 128 - _IPV6_HOST_BITS)))
    return address if read is None else str(read)
