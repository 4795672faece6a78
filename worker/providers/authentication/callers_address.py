"""Which IP addresses may call a source, where its operator lists some."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from schemas.source import Source
from worker.providers.provider import Refused, WebhookRequest

_Networks = tuple[IPv4Network | IPv6Network, ...]


def refuse_address(request: WebhookRequest, source: Source) -> Refused | None:
    """None when the caller's address may call this source; a source without a list may be called by all."""
    if not source.allowed_addresses:
        return None
    try:
        address = ip_address(request.remote_address)
    except ValueError:
        return Refused(
            reason="address_unknown",
            detail=f"the caller's address {request.remote_address[:60]!r} cannot be read, and source "
            f"{source.name!r} lists allowed_addresses: check what the proxy before the receiver hands on",
            http_status=403,
        )
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in _networks(source.allowed_addresses)):
        return None
    return Refused(
        reason="address_not_allowed",
        detail=f"{address} is in none of the allowed_addresses of source {source.name!r}",
        http_status=403,
    )


def address_problems(source: Source) -> list[str]:
    """What cannot be read in allowed_addresses, each with its remedy."""
    return [
        f"allowed_addresses: {text!r} is no IP address or network: write it as 192.0.2.0/24"
        for text in source.allowed_addresses
        if _network(text) is None
    ]


@lru_cache(maxsize=256)
def _networks(allowed: tuple[str, ...]) -> _Networks:
    # One that cannot be read lets nobody in: address_problems reports it when the configuration is read.
    return tuple(network for text in allowed if (network := _network(text)) is not None)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None
