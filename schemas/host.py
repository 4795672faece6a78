"""Where a host is, as the configuration names it."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """True when only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
