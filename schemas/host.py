"""Hosts as the configuration names them."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """True if only this machine can reach a port on this host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
