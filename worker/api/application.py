"""The API as an aiohttp application: its routes and their handlers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files

import msgspec
from aiohttp import hdrs, web
from msgspec import UNSET, Struct

from schemas.decision import Role
from worker.api.asked_account import ACCOUNTS, asked_account
from worker.api.authentication import Authentication
from worker.api.campaigns import CAMPAIGN_REPORTS, CampaignReports, campaign, recipients
from worker.api.check_question import most_body_bytes, question_bytes, read_question
from worker.api.decisions import DESK, DecisionDesk, decide_about_many, decide_about_one
from worker.api.known_tokens import KnownTokens
from worker.api.load import Load
from worker.api.overview import OVERVIEWS, Overviews, read_overview
from worker.api.parameters import (
    ContactQuery,
    asked_names,
    contact_query,
    known_query,
    number_in_range,
    unknown_contact,
)
from worker.api.people import add_many, person
from worker.api.recheck import RECHECK, check_again
from worker.api.recheck_rules import recheck_rules
from worker.api.removals import remove_from_contact
from worker.api.request_body import read_body
from worker.api.request_edge import (
    ASKED_ACCOUNT,
    AUTHENTICATION,
    LINE,
    LOAD,
    PRINCIPAL,
    REQUEST_LOAD,
    ROUTES,
    SCHEMA_DOUBT,
    answer_request,
)
from worker.api.route import AccountScope, Route
from worker.api.safelist import (
    SAFELIST,
    SafelistDesk,
    approve,
    ask_for_many,
    ask_for_one,
    decline,
    list_safelist_requests,
)
from worker.api.schema_doubt import SchemaDoubt
from worker.api.status_changes import DEFAULT_LIMIT, MAX_LIMIT, MAX_WAIT_SECONDS, read_changes
from worker.api.summary import read_summary
from worker.api.unsubscribe_links import LINK_MAKER, LinkMaker, make_unsubscribe_links
from worker.connections.listening import hide_versions
from worker.connections.remote_address import RemoteAddress
from worker.contacts.accounts import KnownAccounts
from worker.contacts.batch_terms import BatchRules
from worker.contacts.check import check_addresses
from worker.contacts.explanation import DEFAULT_STEPS, MAX_STEPS, contact_explanation
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.contacts.safelist_account import AccountReputations
from worker.policy.rule import Policy
from worker.process import metrics
from worker.process.logs import contact_field
from worker.process.probes import add_probes
from worker.settings.added_permission import added_permission
from worker.settings.safelist import configured_rules
from worker.settings.tree import ApiSettings, RecheckSettings, SafelistSettings, UnsubscribeSettings
from worker.store.pool import Pool, WriterPool
from worker.store.readiness import missing_in_database
from worker.store.status_feed import BEGINNING

_POOL: web.AppKey[Pool] = web.AppKey("pool")
_POLICIES: web.AppKey[Policies] = web.AppKey("policies")
_SETTINGS: web.AppKey[ApiSettings] = web.AppKey("settings")
_TOKENS: web.AppKey[KnownTokens] = web.AppKey("tokens")
_STOPPING: web.AppKey[asyncio.Event] = web.AppKey("stopping")

_JSON = "application/json"
# aiohttp reads so much ahead on each connection, before it is counted.
_READ_BUFFER_BYTES = 64 * 1024
_REPORT_BYTES = 512 * 1024  # with the largest number of events and status changes, each at its longest
_EXPLANATION_BYTES = 2 * 1024 * 1024  # one slice of the log, however long that is
_STEP_BYTES = 3 * 1024  # per step of an explanation, from the row to the answer

_encoder = msgspec.json.Encoder()


def build_api(
    *,
    pool: Pool,
    writer_pool: WriterPool,
    policy: Policy,
    settings: ApiSettings,
    source_accounts: Collection[str],
    safelist: SafelistSettings | None = None,
    recheck: RecheckSettings | None = None,
    routes: Sequence[Route] | None = None,
    unsubscribe: UnsubscribeSettings | None = None,
) -> web.Application:
    """The application for the running event loop. The caller closes the pools.

    Decisions are written by `writer_pool`. `policy` is the configuration's, for a database in which none is stored yet.
    `source_accounts` are the accounts that the configured sources name. `routes` are ROUTES if they are left out.
    Without `unsubscribe` no unsubscribe links are made.
    """
    routes = ROUTES_OF_API if routes is None else routes
    app = web.Application(
        middlewares=[answer_request], handler_args={"access_log": None, "read_bufsize": _READ_BUFFER_BYTES}
    )
    app[_POOL] = pool
    app[_POLICIES] = policies = Policies(policy)
    app[DESK] = DecisionDesk(
        pool=pool,
        writer_pool=writer_pool,
        rules=BatchRules(policies=policies, oldest_kept=datetime.now(UTC)),
        most_addresses=settings.check_max_addresses,
        added_permission=added_permission(settings.added_permission, settings.added_permissions),
    )
    safelist = SafelistSettings() if safelist is None else safelist
    app[SAFELIST] = SafelistDesk(rules=configured_rules(safelist), reputations=AccountReputations())
    app[RECHECK] = recheck_rules(RecheckSettings() if recheck is None else recheck, safelist)
    app[LINK_MAKER] = LinkMaker(
        pool=pool, settings=unsubscribe or UnsubscribeSettings(), most_addresses=settings.check_max_addresses
    )
    app[OVERVIEWS] = Overviews(pool)
    app[CAMPAIGN_REPORTS] = CampaignReports(pool)
    app[_SETTINGS] = settings
    app[ACCOUNTS] = KnownAccounts(of_sources=source_accounts, of_settings=settings.accounts)
    app[SCHEMA_DOUBT] = doubt = SchemaDoubt(pool)
    app[_TOKENS] = tokens = KnownTokens(settings.tokens, pool, doubt)
    app[AUTHENTICATION] = Authentication(tokens, RemoteAddress(settings.trusted_proxies))
    app[LOAD] = load = Load(settings.max_bytes_under_way)
    metrics.API_BYTES_UNDER_WAY.set_function(lambda: load.held)
    app[_STOPPING] = asyncio.Event()
    app[ROUTES] = {(route.method, route.path): route for route in routes}
    for route in routes:
        add = app.router.add_get if route.method == hdrs.METH_GET else partial(app.router.add_route, route.method)
        add(route.path, route.handler)
    add_probes(app, partial(_missing, app))
    app.on_response_prepare.append(hide_versions)
    app.on_shutdown.append(_stop_waiting)
    app.on_cleanup.append(_close_tokens)
    return app


async def _stop_waiting(app: web.Application) -> None:
    app[_STOPPING].set()


async def _close_tokens(app: web.Application) -> None:
    await app[_TOKENS].close()


async def _check(request: web.Request) -> web.Response:
    load, most = request[REQUEST_LOAD], request.app[_SETTINGS].check_max_addresses
    body = await read_body(request, load, most_bytes=most_body_bytes(most))
    await load.hold_answer(question_bytes(body, most_addresses=most))
    question = read_question(body, most_addresses=most)
    named = None if question.account is UNSET else question.account
    account = await asked_account(request, request.app[_POOL], named)
    answer = await check_addresses(
        request.app[_POOL],
        question.addresses,
        mail_class=question.mail_class,
        policies=request.app[_POLICIES],
        now=datetime.now(UTC),
        account=account,
        channel=question.channel,
        scope=question.scope,
        names=question.names,
    )
    metrics.CHECKED_ADDRESSES.labels("allowed").inc(answer.allowed)
    metrics.CHECKED_ADDRESSES.labels("forbidden").inc(answer.forbidden)
    request[LINE].update(
        mail_class=question.mail_class.value,
        allowed=answer.allowed,
        forbidden=answer.forbidden,
    )
    return _json(answer)


async def _contact(request: web.Request) -> web.Response:
    report = partial(contact_report, limits=request.app[SAFELIST].rules.limits)
    return await _answer(request, await _read_contact_query(request, {"names"}), report, answer_bytes=_REPORT_BYTES)


async def _explanation(request: web.Request) -> web.Response:
    query = await _read_contact_query(request, {"limit", "before", "names"})
    limit = int(number_in_range(request.query, "limit", DEFAULT_STEPS, 1, MAX_STEPS, whole=True))
    look_up = partial(contact_explanation, limit=limit, before=request.query.get("before"))
    return await _answer(request, query, look_up, answer_bytes=_EXPLANATION_BYTES + limit * _STEP_BYTES)


async def _read_contact_query(request: web.Request, more: Collection[str] = ()) -> ContactQuery:
    query = contact_query(request, more)
    request[LINE].update(contact=contact_field(query.address))
    await asked_account(request, request.app[_POOL], request.query.get("account"))
    return query


async def _answer(
    request: web.Request, query: ContactQuery, look_up: Callable[..., Awaitable[Struct | None]], *, answer_bytes: int
) -> web.Response:
    await request[REQUEST_LOAD].hold_answer(answer_bytes)
    answer = await look_up(
        request.app[_POOL],
        query.address,
        policies=request.app[_POLICIES],
        now=datetime.now(UTC),
        account=request[ASKED_ACCOUNT],
        channel=query.channel,
        names=asked_names(request),
    )
    if answer is None:
        raise unknown_contact(request[ASKED_ACCOUNT])
    return _json(answer)


async def _status_changes(request: web.Request) -> web.Response:
    query = known_query(request, {"after", "limit", "wait_seconds"})
    answer = await read_changes(
        request.app[_POOL],
        account=request[PRINCIPAL].account,
        after=query.get("after", BEGINNING),
        limit=int(number_in_range(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT, whole=True)),
        wait_seconds=number_in_range(query, "wait_seconds", 0, 0, MAX_WAIT_SECONDS),
        stopping=request.app[_STOPPING],
        load=request[REQUEST_LOAD],
    )
    request[LINE].update(changes=len(answer.changes))
    return _json(answer)


async def _openapi(_request: web.Request) -> web.Response:
    document = (files("schemas") / "openapi.yaml").read_bytes()
    return web.Response(body=document, content_type="application/yaml")


async def _missing(app: web.Application) -> list[str]:
    missing: list[str] = []
    if app[_STOPPING].is_set():
        missing.append("this API is stopping: ask another one")
    if await app[_TOKENS].none_exists():
        missing.append("there is no token, so every request is refused: make one with `bouncekeeper tokens create`")
    return [*missing, *await missing_in_database(app[_POOL])]


def _json(answer: Struct) -> web.Response:
    return web.Response(body=_encoder.encode(answer), content_type=_JSON)


# Every route with its least role. tests/api/test_roles.py asks each with each role, about own and foreign accounts.
ROUTES_OF_API = (
    Route(method="POST", path="/v1/check", handler=_check, role=Role.READER, account=AccountScope.NAMED),
    Route(method="GET", path="/v1/contacts/{address}", handler=_contact, role=Role.READER, account=AccountScope.NAMED),
    Route(
        method="GET",
        path="/v1/contacts/{address}/explanation",
        handler=_explanation,
        role=Role.READER,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/contacts/{address}/decisions",
        handler=decide_about_one,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/decisions",
        handler=decide_about_many,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/contacts/{address}/removals",
        handler=remove_from_contact,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/contacts/{address}/recheck",
        handler=check_again,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/contacts/{address}/safelist-requests",
        handler=ask_for_one,
        role=Role.READER,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/safelist-requests",
        handler=ask_for_many,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="GET",
        path="/v1/safelist-requests",
        handler=list_safelist_requests,
        role=Role.READER,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/safelist-requests/{id}/approve",
        handler=approve,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/safelist-requests/{id}/decline",
        handler=decline,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="GET",
        path="/v1/summary",
        handler=read_summary,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(
        method="POST",
        path="/v1/unsubscribe-links",
        handler=make_unsubscribe_links,
        role=Role.OPERATOR,
        account=AccountScope.NAMED,
    ),
    Route(method="POST", path="/v1/contacts", handler=add_many, role=Role.OPERATOR, account=AccountScope.NAMED),
    Route(method="GET", path="/v1/people/{person}", handler=person, role=Role.READER, account=AccountScope.NAMED),
    Route(
        method="GET", path="/v1/campaigns/{campaign}", handler=campaign, role=Role.READER, account=AccountScope.NAMED
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{campaign}/recipients",
        handler=recipients,
        role=Role.READER,
        account=AccountScope.NAMED,
    ),
    Route(
        method="GET",
        path="/v1/overview",
        handler=read_overview,
        role=Role.READER,
        account=AccountScope.NAMED_OR_OWN,
    ),
    Route(method="GET", path="/v1/status-changes", handler=_status_changes, role=Role.READER, account=AccountScope.OWN),
    Route(method="GET", path="/v1/openapi.yaml", handler=_openapi, role=None, account=AccountScope.NONE),
)
