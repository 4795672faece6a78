"""A source that lists networks is called from those networks and from nowhere else."""

import pytest

from schemas.source import Secret, Source
from worker.providers.authentication.callers_address import (
    address_problems,
    allowed_addresses,
)
from worker.providers.webhook_request import WebhookRequest


@pytest.mark.parametrize(
    ("address", "allowed", "let_in"),
    [
        ("192.0.2.10", (), True),
        ("192.0.2.10", ("192.0.2.0/24",), True),
        ("192.0.2.10", ("198.51.100.0/24", "192.0.2.10"), True),
        ("::ffff:192.0.2.10", ("192.0.2.0/24",), True),
        ("2001:db8::1", ("2001:db8::/32",), True),
        ("192.0.2.10", ("2001:db8::/32",), False),
        ("203.0.113.5", ("192.0.2.0/24",), False),
        ("203.0.113.5", ("not a network",), False),
        ("", ("192.0.2.0/24",), False),
        ("unix:", ("0.0.0.0/0",), False),
    ],
)
def test_a_callers_address_is_let_in_when_a_network_holds_it(
    address: str, allowed: tuple[str, ...], *, let_in: bool
) -> None:
    request = WebhookRequest(method="POST", path="/", query={}, headers={}, body=b"body", remote_address=address)
    refused = allowed_addresses(Source(name="s", provider="p", allowed_addresses=allowed)).refuse(request)
    assert (refused is None) is let_in
    assert refused is None or refused.http_status == 403


def test_a_text_that_is_not_a_network_is_reported() -> None:
    source = Source(name="s", provider="p", secrets=(Secret("x"),), allowed_addresses=("192.0.2.0/99", "192.0.2.0/24"))
    (problem,) = address_problems(source)
    assert "192.0.2.0/99" in problem
