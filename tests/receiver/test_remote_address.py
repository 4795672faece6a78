"""X-Forwarded-For is believed exactly as far as trusted proxies wrote it."""

import pytest

from worker.receiver.remote_address import RemoteAddress

_PROXIES = ("10.0.0.0/8", "2001:db8::/32")


@pytest.mark.parametrize(
    ("peer", "header", "expected"),
    [
        ("198.51.100.1", None, "198.51.100.1"),
        ("198.51.100.1", "203.0.113.7", "198.51.100.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.0.0.1", "10.1.1.1,10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", "[2001:db9::1]:443", "2001:db9::1"),
        ("2001:db8::1", "2001:db9::1", "2001:db9::1"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, <script>", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "203.0.113.7", ""),
    ],
)
def test_the_caller_is_the_first_hop_that_no_trusted_proxy_stands_for(
    peer: str, header: str | None, expected: str
) -> None:
    assert RemoteAddress(_PROXIES).of(peer, header) == expected


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert RemoteAddress(()).of("127.0.0.1", "203.0.113.7") == "127.0.0.1"
