"""The description and the API are the same: every route, every answer, every word."""

import json
from enum import StrEnum
from typing import Any

import pytest
import yaml
from aiohttp import ClientResponse, ClientSession
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate

from schemas.safelist import DeclineReason, Medium, RequestKind, RequestState
from schemas.vocabulary import Blame, Blocks, Cause, Channel, Kind, MailClass, Status
from tests.api.conftest import Store
from tests.api.serving import api_on
from tests.schemas.feedback_events import make_event
from tests.schemas.openapi_document import openapi_document
from worker.api.problems import TITLES
from worker.api.status_changes import MAX_LIMIT, MAX_WAIT_SECONDS
from worker.policy.effect import Outcome
from worker.policy.recheck import DomainState
from worker.policy.rule import LiftBy
from worker.policy.safelist import Impossible
from worker.settings.tree import ApiSettings
from worker.store.pool import Pool

DOCUMENT = openapi_document()
# What only a defect, load, or a database that is away brings about; other tests of this folder do.
NOT_PROVOKED_HERE = {"403", "408", "429", "500", "503"}
# While the same request is carried out: tests/contacts/test_decisions_at_once.py.
OF_TWO_AT_ONCE = {("/v1/decisions", "409"), ("/v1/contacts", "409")}
# The receiver's, on a port of its own: tests/receiver/test_own_json.py.
OF_THE_RECEIVER = {"/webhooks/{source}"}

JANE = "/v1/contacts/{address}"
WHY = "/v1/contacts/{address}/explanation"
PERSON = "/v1/people/{person}"
REMOVE = "/v1/contacts/{address}/removals"
CAMPAIGN = "/v1/campaigns/{campaign}"
RECIPIENTS = "/v1/campaigns/{campaign}/recipients"
DECIDE = "/v1/contacts/{address}/decisions"
RECHECK = "/v1/contacts/{address}/recheck"
ASK, ASK_MANY = "/v1/contacts/{address}/safelist-requests", "/v1/safelist-requests"
APPROVE, DECLINE = "/v1/safelist-requests/{id}/approve", "/v1/safelist-requests/{id}/decline"
WISH = {"who": "Jane Doe", "when": "2026-11-20T12:00:00Z", "how": "phone"}
ABOUT_JANE = {DECIDE: DECIDE.replace("{address}", "jane@example.org"), "/v1/decisions": "/v1/decisions"}
ASKED: dict[str, dict[str, Any]] = {
    DECIDE: {},
    "/v1/decisions": {"addresses": ["full@example.org", "off@example.org", "none", "who@example.org"]},
}
REQUESTS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "post",
        "/v1/check",
        "/v1/check",
        {"json": {"addresses": ["jane@example.org", "new@example.org", "none", "full@example.org", "off@example.org"]}},
    ),
    ("post", "/v1/check", "/v1/check", {"data": b"{"}),
    ("post", "/v1/check", "/v1/check", {"json": {}}),
    ("post", "/v1/check", "/v1/check", {"json": {"addresses": [], "account": "nosuch"}}),
    ("post", "/v1/check", "/v1/check", {"json": {"addresses": ["a@example.org"] * 51}}),
    ("post", "/v1/check", "/v1/check", {"headers": {"Authorization": "Bearer wrong"}}),
    *[
        request
        for route in (JANE, WHY)
        for request in (
            ("get", route, route.replace("{address}", "jane@example.org"), {}),
            ("get", route, route.replace("{address}", "full@example.org"), {}),
            ("get", route, route.replace("{address}", "off@example.org"), {}),
            ("get", route, route.replace("{address}", "cross@example.org"), {}),
            ("get", route, route.replace("{address}", "nobody@example.org"), {}),
            ("get", route, route.replace("{address}", "none"), {}),
            ("get", route, route.replace("{address}", "x"), {"headers": {"Authorization": "Bearer wrong"}}),
        )
    ],
    *[
        request
        for route in (DECIDE, "/v1/decisions")
        for request in (
            ("post", route, ABOUT_JANE[route], {"json": ASKED[route] | {"kind": "lifted", "note": "she called"}}),
            ("post", route, ABOUT_JANE[route], {"json": ASKED[route] | {"kind": "lifted", "note": "she called"}}),
            ("post", route, ABOUT_JANE[route], {"json": ASKED[route] | {"kind": "opted_in", "dry_run": True}}),
            ("post", route, ABOUT_JANE[route], {"json": ASKED[route] | {"kind": "lifted"}}),
            ("post", route, ABOUT_JANE[route], {"data": b"{"}),
            ("post", route, ABOUT_JANE[route], {"data": b'"' * 200_000}),
            ("post", route, ABOUT_JANE[route], {"headers": {"Authorization": "Bearer wrong"}}),
        )
    ],
    ("post", ASK, ASK.replace("{address}", "cross@example.org"), {"json": {"note": "x", "wish": WISH}}),
    ("post", ASK, ASK.replace("{address}", "cross@example.org"), {"json": {"note": "x", "wish": WISH}}),
    ("post", ASK_MANY, ASK_MANY, {"json": {"addresses": ["none", "off@example.org"], "note": "x"}}),
    ("post", ASK_MANY, ASK_MANY, {"json": {"addresses": ["trap@example.org"], "note": "x", "kind": "block"}}),
    ("get", ASK_MANY, ASK_MANY, {}),
    ("get", ASK_MANY, f"{ASK_MANY}?limit=1", {}),
    ("get", ASK_MANY, f"{ASK_MANY}?status=nosuch", {}),
    ("get", ASK_MANY, ASK_MANY, {"headers": {"Authorization": "Bearer wrong"}}),
    *(
        ("post", RECHECK, RECHECK.replace("{address}", "full@example.org"), {"json": {}}),
        ("post", RECHECK, RECHECK.replace("{address}", "new@example.org"), {"json": {"dry_run": True}}),
        ("post", RECHECK, RECHECK.replace("{address}", "none"), {"json": {}}),
        ("post", RECHECK, RECHECK.replace("{address}", "full@example.org"), {"data": b"{"}),
        ("post", RECHECK, RECHECK.replace("{address}", "full@example.org"), {"data": b'"' * 200_000}),
        ("post", RECHECK, RECHECK.replace("{address}", "x"), {"headers": {"Authorization": "Bearer wrong"}}),
    ),
    *[
        request
        for route, right in ((ASK, {"note": " "}), (ASK_MANY, {"note": " ", "addresses": []}))
        for request in (
            ("post", route, route.replace("{address}", "jane@example.org"), {"json": right}),
            ("post", route, route.replace("{address}", "jane@example.org"), {"data": b"{"}),
            ("post", route, route.replace("{address}", "jane@example.org"), {"data": b'"' * 200_000}),
            ("post", route, route.replace("{address}", "x"), {"headers": {"Authorization": "Bearer wrong"}}),
        )
    ],
    *[
        request
        for route, right, wrong in ((DECLINE, {"reason": "spam_related"}, {}), (APPROVE, {}, {"why": 1}))
        for request in (
            ("post", route, route.replace("{id}", "1"), {"json": right | {"dry_run": True}}),
            ("post", route, route.replace("{id}", "1"), {"json": right}),
            ("post", route, route.replace("{id}", "2"), {"json": right}),
            ("post", route, route.replace("{id}", "999"), {"json": right}),
            ("post", route, route.replace("{id}", "one"), {"json": right}),
            ("post", route, route.replace("{id}", "1"), {"json": wrong}),
            ("post", route, route.replace("{id}", "1"), {"data": b"{"}),
            ("post", route, route.replace("{id}", "1"), {"data": b'"' * 200_000}),
            ("post", route, route.replace("{id}", "1"), {"headers": {"Authorization": "Bearer wrong"}}),
        )
    ],
    ("get", "/v1/summary", "/v1/summary", {}),
    ("get", "/v1/summary", "/v1/summary?date=2026-11-20", {}),
    ("get", "/v1/summary", "/v1/summary?date=today", {}),
    ("get", "/v1/summary", "/v1/summary", {"headers": {"Authorization": "Bearer wrong"}}),
    ("get", "/v1/overview", "/v1/overview", {}),
    ("get", "/v1/overview", "/v1/overview?account=default", {}),
    ("get", "/v1/overview", "/v1/overview?account=nosuch", {}),
    ("get", "/v1/overview", "/v1/overview", {"headers": {"Authorization": "Bearer wrong"}}),
    ("get", JANE, "/v1/contacts/cross@example.org", {}),
    *[
        ("post", "/v1/unsubscribe-links", "/v1/unsubscribe-links", options)
        for options in (
            {"json": {"addresses": ["jane@example.org", "none"], "list": "newsletter"}},
            {"json": {"addresses": ["a@example.org"] * 51}},
            {"json": {"addresses": [], "lists": "newsletter"}},
            {"data": b"{"},
            {"headers": {"Authorization": "Bearer wrong"}},
        )
    ],
    *[
        ("post", "/v1/contacts", "/v1/contacts", options)
        for options in (
            {
                "json": {
                    "contacts": [{"address": "gone@example.org", "tags": ["shop"], "person": "7", "field": "email_1"}]
                }
            },
            {"json": {"contacts": [{"address": "none"}, {"address": "off@example.org", "person": "7"}]}},
            {"json": {"contacts": [{"address": "jane@example.org", "field": "x", "tags": ["\n"]}]}},
            {"json": {"contacts": [{"address": "jane@example.org", "permission": "perhaps"}]}},
            {"data": b"{"},
            {"data": b'"' * 200_000},
            {"headers": {"Authorization": "Bearer wrong"}},
        )
    ],
    *[
        ("post", REMOVE, REMOVE.replace("{address}", address), options)
        for address, options in (
            ("gone@example.org", {"json": {"tags": ["none"], "people": [{"person": "9"}], "dry_run": True}}),
            ("nobody@example.org", {"json": {"tags": ["shop"]}}),
            ("gone@example.org", {"json": {}}),
            ("gone@example.org", {"data": b"{"}),
            ("gone@example.org", {"data": b'"' * 200_000}),
            ("gone@example.org", {"headers": {"Authorization": "Bearer wrong"}}),
        )
    ],
    ("get", PERSON, "/v1/people/7", {}),
    ("get", PERSON, "/v1/people/8", {}),
    ("get", PERSON, "/v1/people/7?x=y", {}),
    ("get", PERSON, "/v1/people/7", {"headers": {"Authorization": "Bearer wrong"}}),
    ("get", CAMPAIGN, "/v1/campaigns/spring", {}),
    ("get", CAMPAIGN, "/v1/campaigns/autumn", {}),
    ("get", CAMPAIGN, "/v1/campaigns/spring?x=y", {}),
    ("get", CAMPAIGN, "/v1/campaigns/spring", {"headers": {"Authorization": "Bearer wrong"}}),
    ("get", RECIPIENTS, "/v1/campaigns/spring/recipients?limit=1&names=emailmassivo", {}),
    ("get", RECIPIENTS, "/v1/campaigns/autumn/recipients", {}),
    ("get", RECIPIENTS, "/v1/campaigns/spring/recipients?value=read", {}),
    ("get", RECIPIENTS, "/v1/campaigns/spring/recipients", {"headers": {"Authorization": "Bearer wrong"}}),
    ("get", JANE, "/v1/contacts/jane@example.org", {}),
    ("get", JANE, "/v1/contacts/gone@example.org", {}),
    ("get", WHY, "/v1/contacts/jane@example.org/explanation", {}),
    ("get", "/v1/status-changes", "/v1/status-changes", {}),
    ("get", "/v1/status-changes", "/v1/status-changes?after=x", {}),
    ("get", "/v1/status-changes", "/v1/status-changes?after=77120-9f3a6c01", {}),
    ("get", "/v1/status-changes", "/v1/status-changes", {"headers": {"Authorization": "Bearer wrong"}}),
    ("get", "/v1/openapi.yaml", "/v1/openapi.yaml", {}),
    ("get", "/healthz", "/healthz", {}),
    ("get", "/readyz", "/readyz", {}),
    ("get", "/metrics", "/metrics", {}),
]
HISTORY = [
    make_event(
        Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        smtp_code=550,
        enhanced_status="5.1.1",
        diagnostic="550 nobody here",
        tags=("spring",),
        metadata={"order": 7},
        campaign="spring",
    ),
    *[
        make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=day, message=f"m{day}", address="full@example.org")
        for day in range(60)
    ],
    make_event(Kind.DELIVERED, day=1, address="off@example.org", campaign="spring"),
    make_event(Kind.OPENED, day=2, address="off@example.org", machine=True),
    make_event(Kind.UNSUBSCRIBE, day=3, address="off@example.org", scope="list"),
    make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address="cross@example.org", message=None),
]


def test_the_description_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_every_route_is_described_and_every_description_has_a_route(pool: Pool) -> None:
    app = api_on(pool, source_accounts=())
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {
        (method, path)
        for path, item in DOCUMENT["paths"].items()
        if path not in OF_THE_RECEIVER
        for method in item
        if method in {"get", "post", "put", "delete", "patch"}
    }
    assert described == routes


async def test_every_answer_is_as_described_and_every_described_answer_is_given(
    client: ClientSession, store: Store
) -> None:
    await store(HISTORY)
    given = set()
    for method, path, url, options in REQUESTS:
        async with client.request(method, url, **options) as response:
            operation = DOCUMENT["paths"][path][method]
            given.add((method, path, str(response.status)))
            described = resolved(operation["responses"][str(response.status)])
            for header in described.get("headers", {}):
                assert header in response.headers
            await check_body(response, described["content"])
    described_answers = {
        (method, path, status)
        for path, item in DOCUMENT["paths"].items()
        if path not in OF_THE_RECEIVER
        for method in ("get", "post")
        if method in item
        for status in item[method]["responses"]
        if status not in NOT_PROVOKED_HERE and (path, status) not in OF_TWO_AT_ONCE
    }
    assert given == described_answers


async def check_body(response: ClientResponse, content: dict[str, Any]) -> None:
    assert response.content_type in content
    text = await response.text()
    if "json" in response.content_type:
        schema = {**content[response.content_type]["schema"], "components": DOCUMENT["components"]}
        OAS31Validator(schema, format_checker=oas31_format_checker).validate(json.loads(text))


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """What a node's $ref leads to."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for name in node["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


WORDS = [
    *(Status, Cause, Kind, Channel, Blame, Blocks, MailClass, LiftBy),
    *(RequestKind, RequestState, DeclineReason),
]


@pytest.mark.parametrize("words", WORDS)
def test_the_vocabulary_is_described_word_by_word(words: type[StrEnum]) -> None:
    assert DOCUMENT["components"]["schemas"][words.__name__]["enum"] == [word.value for word in words]


def test_outcomes_problems_and_limits_are_described_as_they_are() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["StepView"]["properties"]["outcome"]["enum"] == [outcome.value for outcome in Outcome]
    assert schemas["Problem"]["properties"]["type"]["enum"] == [f"urn:bouncekeeper:problem:{kind}" for kind in TITLES]
    assert schemas["DomainAnswer"]["properties"]["state"]["enum"] == [state.value for state in DomainState]
    refused = schemas["RequestOutcome"]["properties"]["refused"]["enum"]
    assert refused == [*(reason.value for reason in Impossible), None]
    assert schemas["PersonsWish"]["properties"]["how"]["enum"] == [medium.value for medium in Medium]
    assert schemas["CheckRequest"]["properties"]["addresses"]["maxItems"] == ApiSettings().check_max_addresses
    parameters = {
        parameter["name"]: parameter for parameter in DOCUMENT["paths"]["/v1/status-changes"]["get"]["parameters"]
    }
    assert parameters["limit"]["schema"]["maximum"] == MAX_LIMIT
    assert parameters["wait_seconds"]["schema"]["maximum"] == MAX_WAIT_SECONDS


async def test_the_description_is_served_as_it_is(client: ClientSession) -> None:
    async with client.get("/v1/openapi.yaml") as response:
        assert yaml.safe_load(await response.text()) == DOCUMENT
