"""Whose address a request has: the peer's, or the one that a trusted proxy names."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import hdrs, web


class RemoteAddress:
    """Reads X-Forwarded-For from the right and believes it only as far as trusted proxies wrote it."""

    def __init__(self, trusted_proxies: tuple[str, ...]) -> None:
        self._trusted: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(network, strict=False) for network in trusted_proxies
        )
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    def of_request(self, request: web.BaseRequest) -> str:
        """The caller's address. All X-Forwarded-For lines are one list (RFC 9110, section 5.2).

        A proxy may write its line below the one that the caller sent, as HAProxy does: the first line alone
        would be the caller's own claim.
        """
        peer = request.remote or ""
        lines = request.headers.getall(hdrs.X_FORWARDED_FOR, None) if self._trusted else None
        return self.of(peer, ",".join(lines)) if lines else peer

    def of(self, peer: str, forwarded_for: str | None) -> str:
        """The caller's address. A header from anybody but a trusted proxy is anybody's claim and ignored."""
        if forwarded_for is None or not self._trusted or not self._is_trusted(peer):
            return peer
        address = peer
        for hop in reversed(forwarded_for.split(",")):
            text = _without_port(hop.strip())
            if not _is_address(text):
                return address
            address = text
            if not self._is_trusted(address):
                return address
        return address

    def _look_up(self, text: str) -> bool:
        if not _is_address(text):
            return False
        address = ip_address(text)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted)


def _without_port(hop: str) -> str:
    # Some proxies write 192.0.2.1:443 or [2001:db8::1]:443.
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
