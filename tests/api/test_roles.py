"""Each route with each role, about the token's own account and about others: who is answered, and what he learns.

A route that is added without a role, or without a request here, fails these tests.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession, web

from schemas.addition import Addition
from schemas.decision import Permission, Role
from schemas.source import Secret
from schemas.vocabulary import Cause, Channel, Kind
from tests.api.conftest import TOKEN, Store
from tests.api.serving import api_on, serving
from tests.schemas.feedback_events import START, make_event
from worker.api.application import ROUTES_OF_API
from worker.api.asked_account import asked_account
from worker.api.request_edge import PRINCIPAL
from worker.api.route import AccountScope, Route
from worker.contacts.accounts import make_accounts
from worker.contacts.additions import AdditionTerms, add_contacts
from worker.contacts.batch_terms import BatchRules
from worker.contacts.policies import Policies
from worker.contacts.principal import Principal
from worker.contacts.tokens import make_token
from worker.policy.policy_file import recommended_policy
from worker.process.probes import PROBE_ROUTES
from worker.settings.tree import ApiSettings
from worker.store.pool import Pool, WriterPool

PERSON = Principal(token_id=None, name="anna", role=Role.OPERATOR, account=None)
OWN, FOREIGN, NOWHERE = "shop-a", "shop-b", "shop-x"
GONE, OTHER = "gone@example.org", "other@example.org"

BY_NAME = {AccountScope.NAMED, AccountScope.NAMED_OR_OWN}

RequestFor = Callable[[str | None], dict[str, Any]]


def _query(account: str | None) -> dict[str, Any]:
    return {"params": {} if account is None else {"account": account}}


def _question(account: str | None) -> dict[str, Any]:
    return {"json": {"addresses": [GONE]} | ({} if account is None else {"account": account})}


def _one_lift(account: str | None) -> dict[str, Any]:
    return {"json": {"kind": "lifted", "note": "she called", "dry_run": True}, **_query(account)}


def _lift(account: str | None) -> dict[str, Any]:
    asked = _question(account)
    return {"json": asked["json"] | {"kind": "lifted", "note": "she called", "dry_run": True}}


def _one_request(account: str | None) -> dict[str, Any]:
    return {"json": {"note": "she called", "dry_run": True}, **_query(account)}


def _requests(account: str | None) -> dict[str, Any]:
    return {"json": _question(account)["json"] | {"note": "she called", "dry_run": True}}


def _approval(account: str | None) -> dict[str, Any]:
    return {"json": {"dry_run": True}, **_query(account)}


def _decline(account: str | None) -> dict[str, Any]:
    return {"json": {"reason": "reputation", "dry_run": True}, **_query(account)}


def _removal(account: str | None) -> dict[str, Any]:
    return {"json": {"tags": ["shop"], "dry_run": True}, **_query(account)}


def _addition(account: str | None) -> dict[str, Any]:
    asked = {"contacts": [{"address": GONE}], "dry_run": True}
    return {"json": asked | ({} if account is None else {"account": account})}


# How each route is asked about an account; None leaves the account out.
REQUESTS: dict[tuple[str, str], tuple[str, RequestFor]] = {
    ("POST", "/v1/check"): ("/v1/check", _question),
    ("GET", "/v1/contacts/{address}"): (f"/v1/contacts/{GONE}", _query),
    ("GET", "/v1/contacts/{address}/explanation"): (f"/v1/contacts/{GONE}/explanation", _query),
    ("POST", "/v1/contacts/{address}/decisions"): (f"/v1/contacts/{GONE}/decisions", _one_lift),
    ("POST", "/v1/decisions"): ("/v1/decisions", _lift),
    ("POST", "/v1/contacts/{address}/recheck"): (f"/v1/contacts/{GONE}/recheck", _approval),
    ("POST", "/v1/contacts/{address}/safelist-requests"): (f"/v1/contacts/{GONE}/safelist-requests", _one_request),
    ("POST", "/v1/safelist-requests"): ("/v1/safelist-requests", _requests),
    ("GET", "/v1/safelist-requests"): ("/v1/safelist-requests", _query),
    ("POST", "/v1/safelist-requests/{id}/approve"): ("/v1/safelist-requests/{id}/approve", _approval),
    ("POST", "/v1/safelist-requests/{id}/decline"): ("/v1/safelist-requests/{id}/decline", _decline),
    ("GET", "/v1/summary"): ("/v1/summary", _query),
    ("POST", "/v1/unsubscribe-links"): ("/v1/unsubscribe-links", _question),
    ("POST", "/v1/contacts"): ("/v1/contacts", _addition),
    ("GET", "/v1/people/{person}"): ("/v1/people/4711", _query),
    ("POST", "/v1/contacts/{address}/removals"): (f"/v1/contacts/{GONE}/removals", _removal),
    ("GET", "/v1/campaigns/{campaign}"): ("/v1/campaigns/spring", _query),
    ("GET", "/v1/campaigns/{campaign}/recipients"): ("/v1/campaigns/spring/recipients", _query),
    ("GET", "/v1/overview"): ("/v1/overview", _query),
    ("GET", "/v1/status-changes"): ("/v1/status-changes", lambda _account: {}),
    ("GET", "/v1/openapi.yaml"): ("/v1/openapi.yaml", lambda _account: {}),
    ("POST", "/test/operator"): ("/test/operator", _query),
    ("POST", "/test/administrator"): ("/test/administrator", _query),
}


def _deciding(pool: Pool) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def decide(request: web.Request) -> web.Response:
        account = await asked_account(request, pool, request.query.get("account"))
        return web.json_response({"account": account, "by": request[PRINCIPAL].name})

    return decide


async def _forgetful(_request: web.Request) -> web.Response:
    return web.json_response({"secret": FOREIGN})


def all_routes(pool: Pool) -> tuple[Route, ...]:
    """Those of the API, and two that need more than a reader's role."""
    decide = _deciding(pool)
    return (
        *ROUTES_OF_API,
        Route(method="POST", path="/test/operator", handler=decide, role=Role.OPERATOR, account=AccountScope.NAMED),
        Route(
            method="POST",
            path="/test/administrator",
            handler=decide,
            role=Role.ADMINISTRATOR,
            account=AccountScope.NAMED,
        ),
    )


class Answer(NamedTuple):
    status: int
    text: str
    problem: str | None


class Api(NamedTuple):
    """An API with contacts of two accounts, and a token of each role for one of them and for all."""

    client: ClientSession
    tokens: dict[tuple[Role, str | None], str]
    requests: dict[str | None, int]  # an open safelist request of each account

    async def ask(self, route: tuple[str, str], role: Role, of: str | None, account: str | None) -> Answer:
        path, request = REQUESTS[route]
        path = path.replace("{id}", str(self.requests.get(account, self.requests[OWN])))
        headers = {"Authorization": f"Bearer {self.tokens[role, of]}"}
        async with self.client.request(route[0], path, headers=headers, **request(account)) as response:
            text = await response.text()
            is_problem = response.content_type == "application/problem+json"
            problem = (await response.json())["type"].rpartition(":")[2] if is_problem else None
            return Answer(response.status, text, problem)


@pytest.fixture
async def api(pool: WriterPool, store: Store) -> AsyncIterator[Api]:
    await store(
        [
            make_event(
                Kind.HARD_BOUNCE,
                cause=Cause.MAILBOX_DOES_NOT_EXIST,
                account=account,
                address=address,
                campaign="spring",
            )
            for account in (OWN, FOREIGN)
            for address in (GONE, OTHER)
        ]
    )
    for account in (OWN, FOREIGN):
        terms = AdditionTerms(
            permission=Permission.STATED, account=account, channel=Channel.EMAIL, principal=PERSON, what="command"
        )
        rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START)
        await add_contacts(pool, [Addition(address=GONE, person="4711")], terms, rules=rules)
    tokens: dict[tuple[Role, str | None], str] = {}
    for role, of in product(Role, (OWN, None)):
        made = await make_token(pool, name=f"{role} {of}", account=of, role=role, now=START, actor="the test")
        assert made is not None
        tokens[role, of] = made.text
    app = api_on(pool, source_accounts=(), routes=all_routes(pool))
    async with (
        serving(app) as url,
        ClientSession(url) as client,
    ):
        requests: dict[str | None, int] = {}
        headers = {"Authorization": f"Bearer {tokens[Role.ADMINISTRATOR, None]}"}
        for account in (OWN, FOREIGN):
            body = {"note": "a trap?", "addresses": [OTHER], "account": account}
            async with client.post("/v1/safelist-requests", json=body, headers=headers) as response:
                requests[account] = (await response.json())["results"][0]["request"]["id"]
        yield Api(client, tokens, requests)


def test_every_route_declares_its_role_and_is_asked_here(pool: Pool) -> None:
    app = api_on(pool, source_accounts=(), routes=all_routes(pool))
    there = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD" and route.resource.canonical not in PROBE_ROUTES
    }
    assert there == {(route.method, route.path) for route in all_routes(pool)} == set(REQUESTS)
    for route in ROUTES_OF_API:
        assert route.role is not None or route.account is AccountScope.NONE, f"{route.path} needs a token"


async def test_each_role_may_do_what_its_routes_say_and_no_more(api: Api, pool: Pool) -> None:
    ranks = list(Role)
    for route, role, of in product(all_routes(pool), Role, (OWN, None)):
        about: str | None = OWN if route.account in BY_NAME else None
        answer = await api.ask((route.method, route.path), role, of, about)
        if route.role is None or ranks.index(role) >= ranks.index(route.role):
            assert answer.status == 200, (route.path, role, of, answer)
        else:
            assert (answer.status, answer.problem) == (403, "forbidden-role")
            assert f"has the role {role}; this route needs {route.role}" in answer.text


async def test_a_role_that_is_too_low_is_refused_alike_whichever_account_is_named(api: Api, pool: Pool) -> None:
    for route in all_routes(pool):
        if route.role in {Role.OPERATOR, Role.ADMINISTRATOR}:
            key = (route.method, route.path)
            answers = {await api.ask(key, Role.READER, OWN, about) for about in (OWN, FOREIGN, NOWHERE, None)}
            assert len(answers) == 1


async def test_a_foreign_account_is_answered_exactly_as_one_that_does_not_exist(api: Api, pool: Pool) -> None:
    for route, role in product(all_routes(pool), Role):
        if route.account not in BY_NAME or list(Role).index(role) < list(Role).index(route.role or role):
            continue
        key = (route.method, route.path)
        foreign = await api.ask(key, role, OWN, FOREIGN)
        nowhere = await api.ask(key, role, OWN, NOWHERE)
        assert (foreign.status, foreign.problem) == (422, "unknown-account")
        assert foreign.text.replace(FOREIGN, "?") == nowhere.text.replace(NOWHERE, "?")
        assert (await api.ask(key, role, None, FOREIGN)).status == 200


def without_times(answer: Any) -> Any:
    """The answer without the times when it was made."""
    if isinstance(answer, list):
        return [without_times(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    times = {"at", "checked_at", "requested_at", "decided_at"}
    return {name: without_times(value) for name, value in answer.items() if name not in times}


async def test_left_out_the_account_is_that_of_the_token(api: Api, pool: Pool) -> None:
    """And `default` for a token of all accounts, which does not exist here."""
    for route in all_routes(pool):
        if route.account in BY_NAME:
            key = (route.method, route.path)
            own, left_out = [
                without_times(json.loads((await api.ask(key, Role.ADMINISTRATOR, OWN, about)).text))
                for about in (OWN, None)
            ]
            assert left_out == own
            of_all = await api.ask(key, Role.ADMINISTRATOR, None, None)
            if route.account is AccountScope.NAMED:
                assert of_all.problem == "unknown-account"
            else:
                assert (of_all.status, json.loads(of_all.text)["account"]) == (200, None)


async def test_a_route_that_forgets_to_ask_about_the_account_answers_nobody(
    pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    undeclared = Route(
        method="GET", path="/test/forgetful", handler=_forgetful, role=Role.READER, account=AccountScope.NAMED
    )
    await make_accounts(pool, [OWN], now=START, actor="the test")
    made = await make_token(pool, name="crm", account=OWN, role=Role.READER, now=START, actor="the test")
    assert made is not None
    app = api_on(pool, source_accounts=(), routes=[undeclared])
    async with (
        serving(app) as url,
        ClientSession(url, headers={"Authorization": f"Bearer {made.text}"}) as client,
        client.get("/test/forgetful") as response,
    ):
        assert response.status == 500
        assert FOREIGN not in await response.text()
    assert "has not asked whether its caller may know" in capsys.readouterr().err


async def test_a_path_without_a_route_tells_nothing_without_a_token(api: Api) -> None:
    async with api.client.get("/v1/nosuch") as response:
        assert response.status == 401
    headers = {"Authorization": f"Bearer {api.tokens[Role.READER, OWN]}"}
    async with api.client.get("/v1/nosuch", headers=headers) as response:
        assert response.status == 404


async def test_a_token_of_the_configuration_is_an_administrator_of_all_accounts(pool: Pool, store: Store) -> None:
    await store([make_event(Kind.DELIVERED, account=OWN)])
    app = api_on(pool, settings=ApiSettings(tokens=(Secret(TOKEN),)), source_accounts=(), routes=all_routes(pool))
    async with (
        serving(app) as url,
        ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as client,
        client.post("/test/administrator", params={"account": OWN}) as response,
    ):
        assert (response.status, await response.json()) == (200, {"account": OWN, "by": "api.tokens 1"})
