"""The receiver as an aiohttp application: one route for each source, the unsubscribe page, and the probes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from time import perf_counter

import aiohttp
from aiohttp import hdrs, web

from schemas.source import Source
from worker.connections.listening import hide_versions
from worker.connections.remote_address import RemoteAddress
from worker.connections.requests_at_once import RequestsAtOnce
from worker.process import metrics
from worker.process.logs import get_logger
from worker.process.probes import add_probes
from worker.providers.provider import Provider
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import PATH
from worker.queue.parking import ParkingWriter
from worker.queue.port import QueueWriter
from worker.receiver.answers import refusal
from worker.receiver.body import BodyReader
from worker.receiver.certificates import Certificates
from worker.receiver.group_commit import GroupCommit
from worker.receiver.large_bodies import LargeBodies
from worker.receiver.outbound import Outbound
from worker.receiver.replay_guard import ReplayGuard
from worker.receiver.unsubscribe_html import UnsubscribeHtml
from worker.receiver.unsubscribe_requests import ROUTE as UNSUBSCRIBE_ROUTE
from worker.receiver.unsubscribe_requests import UnsubscribeRequests
from worker.receiver.unsubscribe_words import read_words
from worker.receiver.webhook_trace import traced
from worker.receiver.webhooks import SourceWebhooks, Tools
from worker.settings.tree import ConnectionSettings, ReceiverSettings, UnsubscribeSettings

log = get_logger()

TOOLS = web.AppKey("tools", Tools)
STOPPING: web.AppKey[list[str]] = web.AppKey("stopping", list)

MAX_LOGGED_SOURCE = 64


def build_receiver(
    *,
    settings: ReceiverSettings,
    sources: Sequence[Source],
    writer: QueueWriter,
    providers: Mapping[str, Provider],
    connector: aiohttp.BaseConnector | None = None,
    connections: ConnectionSettings | None = None,
    unsubscribe: UnsubscribeSettings | None = None,
) -> web.Application:
    """The application for the running event loop. The caller closes the writer.

    `providers` are looked up by Source.provider. `connector` carries the receiver's own requests, for
    certificates and subscription confirmations. Without `unsubscribe` there is no unsubscribe page. Raises
    ImpossibleSetting if the file with the page's words cannot be used.
    """
    # aiohttp must not decompress bodies: it does not know our limit for decompressed ones. An access log would repeat
    # our own line of each webhook.
    app = web.Application(
        handler_args={
            "auto_decompress": False,
            "access_log": None,
        }
    )
    # Before anything is opened: a mistake in it stops the start.
    page = None if unsubscribe is None else UnsubscribeHtml(read_words(unsubscribe.words_file), unsubscribe.company)
    outbound = Outbound(connector)
    tools = Tools(
        group_commit=GroupCommit(
            writer,
            max_envelopes=settings.group_max_envelopes,
            max_bytes=settings.group_max_bytes,
            in_flight=settings.groups_in_flight,
            answer_timeout_seconds=settings.answer_timeout_seconds,
        ),
        certificates=Certificates(outbound),
        outbound=outbound,
        replay_guard=ReplayGuard(),
        remote_address=RemoteAddress(settings.trusted_proxies),
        requests_at_once=RequestsAtOnce((connections or ConnectionSettings()).max_per_address),
        body_reader=BodyReader(max_body_bytes=settings.max_body_bytes, timeout_seconds=settings.body_timeout_seconds),
        large_bodies=LargeBodies(
            max_decompressed_bytes=max(settings.max_body_bytes, settings.max_decompressed_bytes),
            patience_seconds=settings.answer_timeout_seconds / 2,
        ),
        retry_after_seconds=settings.retry_after_seconds,
    )
    app[TOOLS] = tools
    app[STOPPING] = []
    metrics.WAITING_BYTES.set_function(lambda: tools.group_commit.waiting_bytes)

    for source in sources:
        webhooks = SourceWebhooks(source, providers[source.provider], tools)
        handler = traced(
            webhooks.handle,
            route=f"/webhooks/{source.name}",
            remote_address=tools.remote_address,
            attributes={"bouncekeeper.source": source.name, "bouncekeeper.provider": source.provider},
        )
        # A route of its own for each source: a plain path is found faster than a pattern. A slash at the
        # end is a common slip when a URL is pasted into a vendor's console.
        for path in (f"/webhooks/{source.name}", f"/webhooks/{source.name}/"):
            app.router.add_route(hdrs.METH_ANY, path, handler, expect_handler=tools.body_reader.refuse_unseen)
    if unsubscribe is not None and unsubscribe.secrets and page is not None:
        requests = UnsubscribeRequests(unsubscribe.secrets, page, tools)
        handler = traced(requests.handle, route=f"{PATH}{{token}}", remote_address=tools.remote_address, attributes={})
        app.router.add_route(hdrs.METH_ANY, UNSUBSCRIBE_ROUTE, handler, expect_handler=tools.body_reader.refuse_unseen)
    app.router.add_route(hdrs.METH_ANY, "/webhooks/{source:.*}", _refuse_unknown_source)
    add_probes(app, partial(_missing, app, writer), partial(_degraded, writer))
    app.router.add_route(hdrs.METH_ANY, "/{path:.*}", _refuse_unknown_path)
    app.on_response_prepare.append(hide_versions)
    app.cleanup_ctx.append(_lifetime)
    app.on_shutdown.append(_stop_reading)
    return app


async def _lifetime(app: web.Application) -> AsyncIterator[None]:
    tools = app[TOOLS]
    async with tools.outbound:
        yield
        await tools.group_commit.close()
        tools.large_bodies.close()


async def _stop_reading(app: web.Application) -> None:
    app[STOPPING].append("this receiver is stopping: send to another one")
    app[TOOLS].body_reader.stop()


async def _refuse_unknown_source(request: web.Request) -> web.Response:
    started = perf_counter()
    log.warning(
        "webhook.refused",
        source=request.match_info["source"][:MAX_LOGGED_SOURCE],
        reason="unknown_source",
        detail="no source of this name is configured: compare the URL with `bouncekeeper sources list`",
        http_status=HTTPStatus.NOT_FOUND.value,
        remote_address=request.app[TOOLS].remote_address.of_request(request),
        seconds=round(perf_counter() - started, 6),
    )
    metrics.WEBHOOKS.labels("", "refused", "unknown_source").inc()
    return refusal(HTTPStatus.NOT_FOUND, "unknown_source", close=not request.content.is_eof())


async def _refuse_unknown_path(request: web.Request) -> web.Response:
    # Not logged: browsers and scanners ask for much that has nothing to do with webhooks.
    metrics.WEBHOOKS.labels("", "refused", "unknown_path").inc()
    return refusal(HTTPStatus.NOT_FOUND, "unknown_path", close=not request.content.is_eof())


async def _missing(app: web.Application, writer: QueueWriter) -> list[str]:
    missing = [*app[STOPPING]]
    if not writer.available():
        missing.append("the queue accepts nothing: check the broker and Postgres")
    return missing


def _degraded(writer: QueueWriter) -> list[str]:
    if isinstance(writer, ParkingWriter) and writer.available() and writer.parks():
        return ["RabbitMQ is away: webhooks are parked in Postgres"]
    return []
