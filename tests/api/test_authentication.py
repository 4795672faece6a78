"""Who may ask: nobody without a token, whatever is wrong with what they send."""

import pytest
from aiohttp import ClientSession

from tests.api.conftest import OLD_TOKEN, TOKEN

PROTECTED = [
    ("POST", "/v1/check"),
    ("GET", "/v1/contacts/jane@example.org"),
    ("GET", "/v1/contacts/jane@example.org/explanation"),
    ("GET", "/v1/status-changes"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
    ],
)
async def test_without_a_valid_token_every_question_is_refused(
    stranger: ClientSession, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with stranger.request(method, path, headers=headers, data=b"{}" if method == "POST" else None) as response:
        problem = await response.json()
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert problem["type"] == "urn:bouncekeeper:problem:unauthorized"
        assert TOKEN not in str(problem)


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"Bearer {OLD_TOKEN}", f"bearer {TOKEN}"])
async def test_each_of_several_tokens_is_valid_while_they_are_rotated(
    stranger: ClientSession, authorization: str
) -> None:
    async with stranger.get("/v1/status-changes", headers={"Authorization": authorization}) as response:
        assert response.status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/openapi.yaml"])
async def test_probes_and_the_description_need_no_token(stranger: ClientSession, path: str) -> None:
    async with stranger.get(path) as response:
        assert response.status == 200
