"""Nameservers as the settings write them."""

from ipaddress import ip_address

_DNS_PORT = 53
_LARGEST_PORT = 65_535


def nameserver(text: str) -> tuple[str, int]:
    """The address and the port of `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`.

    Raises ValueError.
    """
    host, port = text, str(_DNS_PORT)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _LARGEST_PORT:
        raise ValueError(f"{port!r} is no port")
    return str(ip_address(host)), int(port)


def is_nameserver(text: str) -> bool:
    """True if it can be read."""
    try:
        nameserver(text)
    except ValueError:
        return False
    return True
