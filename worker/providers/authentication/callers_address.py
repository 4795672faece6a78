"""The IP addresses that may call a source, if its operator lists any."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct

from schemas.source import Source
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest


class AllowedAddresses(Struct, frozen=True, kw_only=True):
    """The networks that a source lists. Everybody may call a source without a list."""

    source: str
    listed: bool
    networks: tuple[IPv4Network | IPv6Network, ...]  # an unreadable one lets nobody in

    def refuse(self, request: WebhookRequest) -> Refused | None:
        """None if the caller's address may call."""
        if not self.listed:
            return None
        try:
            address = ip_address(request.remote_address)
        except ValueError:
            return Refused(
                reason="address_unknown",
                detail=f"the caller's address {request.remote_address[:60]!r} cannot be read, and source "
                f"{self.source!r} lists allowed_addresses: check what the proxy before the receiver hands on",
                http_status=403,
            )
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self.networks):
            return None
        return Refused(
            reason="address_not_allowed",
            detail=f"{address} is in none of the allowed_addresses of source {self.source!r}",
            http_status=403,
        )


def allowed_addresses(source: Source) -> AllowedAddresses:
    """The addresses that the source lists; `address_problems` reports the unreadable ones."""
    networks = tuple(network for text in source.allowed_addresses if (network := _network(text)) is not None)
    return AllowedAddresses(source=source.name, listed=bool(source.allowed_addresses), networks=networks)


def address_problems(source: Source) -> list[str]:
    """The mistakes in allowed_addresses, each with its remedy."""
    return [
        f"allowed_addresses: {text!r} is not an IP address or network: write it as 192.0.2.0/24"
        for text in source.allowed_addresses
        if _network(text) is None
    ]


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None
