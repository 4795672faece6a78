"""What shows an opt-in, as it comes in over HTTP: refused with the field's name where it shows nothing."""

from typing import Any

import pytest
from aiohttp import ClientSession

from tests.properties import few

JANE = "/v1/contacts/jane@example.org"
AHEAD = "2999-01-01T00:00:00Z"  # written down, so that the test has one name in each process
# Each proof that shows nothing, with the field that the refusal names.
UNSOUND: list[tuple[dict[str, Any], str]] = [
    ({"source": "  "}, "proof.source"),
    ({"source": "\n"}, "proof.source"),
    ({}, "proof.source"),
    ({"collected_at": "2026-01-01T00:00:00Z"}, "proof.source"),
    ({"source": "x" * 201}, "proof.source"),
    ({"source": "a\x00b"}, "proof.source"),
    ({"source": "a\u202eb"}, "proof.source"),
    ({"source": "shop", "form": " "}, "proof.form"),
    ({"source": "shop", "form": "x" * 201}, "proof.form"),
    ({"source": "shop", "ip_address": "999.1.1.1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "203.0.113.7:80"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": " "}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "localhost"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "0.0.0.0"}, "proof.ip_address"),  # noqa: S104 - nobody listens there
    ({"source": "shop", "ip_address": "::"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "224.0.0.1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "127.0.0.1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "::1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "::ffff:127.0.0.1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "169.254.1.1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "fe80::1"}, "proof.ip_address"),
    ({"source": "shop", "ip_address": "255.255.255.255"}, "proof.ip_address"),
    ({"source": "shop", "collected_at": AHEAD}, "proof.collected_at"),
    ({"source": "shop", "collected_at": "1901-01-01T00:00:00Z"}, "proof.collected_at"),
    ({"source": "shop", "collected_at": "2026-01-01T00:00:00"}, "proof.collected_at"),
    ({"source": "shop", "colected_at": "2026-01-01T00:00:00Z"}, "colected_at"),
]


@pytest.mark.parametrize(("proof", "field"), few(UNSOUND, 6, one_name=False), ids=lambda value: str(value)[:60])
async def test_a_proof_that_shows_nothing_is_refused_by_name(
    client: ClientSession, proof: dict[str, Any], field: str
) -> None:
    optin = {"kind": "opted_in", "by_contact": True, "proof": proof}
    for path, body in (
        (f"{JANE}/decisions", optin),
        (f"{JANE}/decisions", optin | {"dry_run": True}),
        ("/v1/decisions", optin | {"addresses": ["jane@example.org", "joe@example.org"]}),
    ):
        async with client.post(path, json=body) as response:
            problem = await response.json()
            assert response.status == 422, problem
            assert f"`{field}`" in problem["detail"], problem
            assert problem["remedy"]
    async with client.get(JANE) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "proof",
    [
        {"source": "shop"},
        {"form": "paper card 17"},
        {"source": "shop", "ip_address": "203.0.113.7", "collected_at": "2026-01-01T00:00:00+02:00"},
        {"source": "Stra\u00dfenfest", "ip_address": "2001:db8::7"},
        {"source": "intranet", "ip_address": "10.0.0.7"},
    ],
    ids=str,
)
async def test_a_proof_that_shows_something_is_kept_as_it_was_given(
    client: ClientSession, proof: dict[str, Any]
) -> None:
    body = {"kind": "opted_in", "by_contact": True, "proof": proof}
    async with client.post(f"{JANE}/decisions", json=body) as response:
        assert response.status == 200, await response.text()
    async with client.get(JANE) as response:
        kept = (await response.json())["decisions"][0]["proof"]
    assert set(kept) == set(proof)
    assert {name: kept[name] for name in proof if name != "collected_at"} == {
        name: text for name, text in proof.items() if name != "collected_at"
    }


@pytest.mark.parametrize("note", ["", " ", "\t\n"])
async def test_a_blank_reason_is_refused_for_every_kind(client: ClientSession, note: str) -> None:
    for kind in ("lifted", "listed", "opted_in", "unsubscribed", "unsubscribed_by_us", "declined_commercial", "added"):
        body = {"kind": kind, "note": note} | ({"permission": "stated"} if kind == "added" else {})
        async with client.post(f"{JANE}/decisions", json=body) as response:
            problem = await response.json()
            assert response.status == 422, (kind, problem)
            assert "note" in problem["detail"] or "reason" in problem["detail"], problem
