"""One source's webhooks: read, authenticate, queue, answer. This is the hot path of the receiver."""

from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic, perf_counter

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from schemas.envelope import Envelope, encode_envelope, new_delivery_id
from schemas.lane import Lane
from schemas.one_time_token import OneTimeToken
from schemas.source import Source
from worker.connections.connection import connection_of
from worker.connections.remote_address import RemoteAddress
from worker.connections.requests_at_once import RequestsAtOnce
from worker.errors import (
    CertificateUnavailable,
    QueueUnavailable,
    SubscriptionUnconfirmed,
    TooManyAtOnce,
    TryAgainLater,
)
from worker.process import metrics
from worker.process.logs import get_logger
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted, Answered, ConfirmSubscription, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest
from worker.receiver.answers import postponement, refusal
from worker.receiver.authentication import authenticate
from worker.receiver.body import BodyReader
from worker.receiver.certificates import Certificates
from worker.receiver.content_coding import KNOWN_CODINGS, UNKNOWN_CODING
from worker.receiver.group_commit import GroupCommit
from worker.receiver.large_bodies import LargeBodies
from worker.receiver.outbound import Outbound
from worker.receiver.ready_answer import ReadyAnswer
from worker.receiver.replay_guard import ReplayGuard
from worker.receiver.subscription import confirm_subscription
from worker.receiver.webhook_trace import is_traced, note_outcome, queueing
from worker.tracing.tracer import active_tracer

ALLOWED_METHODS = "HEAD, POST"
ALLOWED_WITH_GET = "GET, HEAD, POST"
_NO_QUERY: Mapping[str, str] = {}
_NO_REMEDIES: Mapping[int, str] = {}
_POSTPONED: dict[type[TryAgainLater], str] = {
    QueueUnavailable: "queue_unavailable",
    CertificateUnavailable: "certificate_unavailable",
    SubscriptionUnconfirmed: "subscription_unconfirmed",
    TooManyAtOnce: "too_many_at_once",
}


_REPLAYED = Refused(
    reason="replayed_token",
    detail="its one-time token was used for other data before: somebody has altered an old request and sends it again",
)


class Tools(Struct, frozen=True, kw_only=True):
    """Shared by all sources of a receiver."""

    group_commit: GroupCommit
    certificates: Certificates
    outbound: Outbound
    replay_guard: ReplayGuard
    remote_address: RemoteAddress
    requests_at_once: RequestsAtOnce
    body_reader: BodyReader
    large_bodies: LargeBodies
    retry_after_seconds: int


class SourceWebhooks:
    """Handles the requests to `/webhooks/{source.name}`."""

    def __init__(
        self, source: Source, provider: Provider, tools: Tools, *, remedies: Mapping[int, str] = _NO_REMEDIES
    ) -> None:
        """`remedies`, by HTTP status, take the place of those for senders of webhooks."""
        self._source = source
        self._remedies = remedies
        self._provider = provider
        self._bound = provider.bind(source)
        self._tools = tools
        # Looked up once, because it is the same for every request of this source.
        self._put = tools.group_commit.put
        self._lane = Lane(source=source.name, bulk=source.bulk)
        self._bulk_lane = Lane(source=source.name, bulk=True)
        self._kept_headers = tuple(sorted(provider.kept_headers))
        self._success = ReadyAnswer(provider.success_status)
        self._log = get_logger().bind(source=source.name, provider=provider.name)
        self._tracer = active_tracer()
        self._count_accepted = metrics.WEBHOOKS.labels(source.name, "accepted", "").inc
        self._count_body_bytes = metrics.WEBHOOK_BODY_BYTES.labels(source.name).inc
        self._observe_seconds = metrics.WEBHOOK_SECONDS.labels(source.name).observe

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to one request. Success means that the queue has confirmed the webhook."""
        if request.method != hdrs.METH_POST and not self._is_event_by_get(request):
            return self._answer_probe(request)
        started = perf_counter()
        try:
            if not self._tools.remote_address.is_trusted(request.remote or ""):
                return await self._receive(request, started)
            # Behind a proxy, a limit on the connections of an address has no effect.
            with self._tools.requests_at_once.one(self._tools.remote_address.of_request(request)):
                return await self._receive(request, started)
        except TryAgainLater as error:
            return self._postpone(request, error, started)
        except Exception:  # noqa: BLE001 - a bug of ours must not lose an event: the vendor sends it again
            self._log_of(request, "failed").exception("webhook.failed", body_bytes=request.content.total_bytes)
            self._count("failed", "unexpected_error", started)
            return self._later("unexpected_error")

    def _is_event_by_get(self, request: web.Request) -> bool:
        return self._provider.takes_get and request.method == hdrs.METH_GET and bool(request.query_string)

    async def _receive(self, request: web.Request, started: float) -> web.Response:
        if request.method == hdrs.METH_GET:
            body: bytes | None = request.rel_url.raw_query_string.encode("utf-8", "surrogateescape")
        else:
            body = self._tools.body_reader.small(request)
        if body is None:
            return await self._receive_large(request, started)
        webhook = self._as_webhook(request, body)
        verdict = await authenticate(self._bound, webhook, self._tools.certificates)
        return await self._conclude(request, webhook, verdict, started)

    async def _receive_large(self, request: web.Request, started: float) -> web.Response:
        """As _receive, for a body that is large, compressed, or still arriving.

        The body is read only if the head of the request looks genuine, and is not processed on the event loop.
        """
        tools, source = self._tools, self._bound
        head = self._as_webhook(request, b"")
        if refused := source.refuse_head(head, now=datetime.now(UTC)):
            return self._refuse(request, refused, started)
        most = source.unproven_bytes
        coding = request.headers.get(hdrs.CONTENT_ENCODING, "")
        raw = await tools.body_reader.read(request, max_bytes=most)
        if isinstance(raw, Refused):
            return self._refuse(request, raw, started)
        async with AsyncExitStack() as stack:
            with tools.body_reader.holding(raw):
                place = await stack.enter_async_context(tools.large_bodies.room(len(raw), coding, unproven_bytes=most))
            body = await tools.large_bodies.decompress(raw, coding, unproven_bytes=most)
            del raw  # a second copy
            if isinstance(body, Refused):
                return self._refuse(request, body, started)
            place.shrink(len(body))
            webhook = msgspec.structs.replace(head, body=body)
            verdict = await authenticate(
                self._bound, webhook, tools.certificates, in_thread=tools.large_bodies.in_thread
            )
            return await self._conclude(request, webhook, verdict, started)

    async def _conclude(
        self,
        request: web.Request,
        webhook: WebhookRequest,
        verdict: Verdict,
        started: float,
    ) -> web.Response:
        match verdict:
            case Accepted(one_time_token=OneTimeToken() as token) if not self._tools.replay_guard.claim(
                token, now=monotonic()
            ):
                return self._refuse(request, _REPLAYED, started)
            case Accepted():
                return await self._accept(request, webhook, verdict, started)
            case Refused():
                return self._refuse(request, verdict, started)
            case ConfirmSubscription():
                return self._answer(request, await self._confirm(verdict), started)
            case Answered():
                return self._answer(request, verdict, started)

    async def _confirm(self, handshake: ConfirmSubscription) -> Answered:
        await confirm_subscription(handshake, source=self._source.name, outbound=self._tools.outbound)
        return Answered(
            reason="subscription_confirmed",
            detail=f"{handshake.topic} sends here from now on",
            http_status=self._success.http_status,
        )

    def _as_webhook(self, request: web.Request, body: bytes) -> WebhookRequest:
        headers = request.headers  # ignores the case of names
        return WebhookRequest(
            method=request.method,
            path=request.path,
            query=request.query if request.query_string else _NO_QUERY,
            headers=headers,
            body=body,
            remote_address=self._tools.remote_address.of_request(request),
            raw_query=request.rel_url.raw_query_string,
        )

    async def _accept(
        self, request: web.Request, webhook: WebhookRequest, verdict: Accepted, started: float
    ) -> web.Response:
        delivery_id = new_delivery_id()
        headers = webhook.headers
        body = webhook.body if verdict.body is None else verdict.body
        envelope = Envelope(
            delivery_id=delivery_id,
            source=self._source.name,
            provider=self._provider.name,
            account=self._source.account,
            received_at=datetime.now(UTC),
            content_type=_encodable(headers.get("content-type", "")),
            headers={name: _encodable(headers[name]) for name in self._kept_headers if name in headers},
            body=body,
            account_from=self._source.account_from,
        )
        lane = self._bulk_lane if verdict.bulk else self._lane
        if self._tracer is None or not is_traced(request):
            await self._queue(envelope, lane, verdict.one_time_token)
        else:
            with queueing(self._tracer, request, envelope, lane) as traced_envelope:
                await self._queue(traced_envelope, lane, verdict.one_time_token)
        seconds = perf_counter() - started
        body_bytes = len(webhook.body)
        if (connection := connection_of(request)) is not None:
            connection.vouch_for()
        self._count_accepted()
        self._count_body_bytes(body_bytes)
        self._observe_seconds(seconds)
        self._log_of(request, "accepted").info(
            "webhook.accepted",
            delivery_id=delivery_id,
            body_bytes=body_bytes,
            http_status=self._success.http_status,
            seconds=round(seconds, 6),
            remote_address=webhook.remote_address,
        )
        if verdict.answer:
            return web.Response(status=self._success.http_status, body=verdict.answer, content_type="application/json")
        return self._success.answer(request)

    def _queue(self, envelope: Envelope, lane: Lane, token: OneTimeToken | None) -> Awaitable[None]:
        if token is None:
            return self._put(encode_envelope(envelope), lane)
        return self._put_once(encode_envelope(envelope.using(token)), lane, token)

    # ── tokens that may be used once ────────────────────────────────────────────────────────────────────

    async def _put_once(self, blob: bytes, lane: Lane, token: OneTimeToken) -> None:
        guard = self._tools.replay_guard
        try:
            await self._put(blob, lane)
        except BaseException:
            # So that the vendor's next try with this token is not taken for a forgery.
            guard.release(token)
            raise
        guard.remember(token, now=monotonic())

    # ── everything but success ──────────────────────────────────────────────────────────────────────────

    def _answer_probe(self, request: web.Request) -> web.Response:
        if request.method == hdrs.METH_HEAD:
            # Several vendors check that the URL answers before they save it.
            return web.Response(status=HTTPStatus.OK)
        if request.method in {hdrs.METH_GET, hdrs.METH_OPTIONS}:
            started = perf_counter()
            answer = self._bound.answer_probe(self._as_webhook(request, b""))
            if isinstance(answer, Refused):
                return self._refuse(request, answer, started)
            if answer is not None:
                return self._answer(request, answer, started)
        allowed = ALLOWED_WITH_GET if self._provider.takes_get else ALLOWED_METHODS
        return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "wrong_method", allow=allowed)

    def _answer(self, request: web.Request, answered: Answered, started: float) -> web.Response:
        self._log_of(request, "answered", answered.reason).info(
            "webhook.answered",
            reason=answered.reason,
            detail=answered.detail,
            body_bytes=request.content.total_bytes,
            http_status=answered.http_status,
            seconds=self._count("answered", answered.reason, started),
        )
        if not answered.body:
            return web.Response(status=answered.http_status, headers=answered.headers)
        headers = {"Content-Type": answered.content_type, **answered.headers}
        return web.Response(status=answered.http_status, body=answered.body, headers=headers)

    def _refuse(self, request: web.Request, refused: Refused, started: float) -> web.Response:
        self._log_of(request, "refused", refused.reason).warning(
            "webhook.refused",
            reason=refused.reason,
            detail=refused.detail,
            body_bytes=request.content.total_bytes,
            http_status=refused.http_status,
            seconds=self._count("refused", refused.reason, started),
            remote_address=self._tools.remote_address.of_request(request),
        )
        return refusal(
            refused.http_status,
            refused.reason,
            challenge=refused.challenge,
            remedy=self._remedies.get(refused.http_status, refused.remedy),
            accept_encoding=KNOWN_CODINGS if refused.reason == UNKNOWN_CODING else None,
            # The unread rest of a body must not be taken for the next request.
            close=not request.content.is_eof(),
        )

    def _postpone(self, request: web.Request, error: TryAgainLater, started: float) -> web.Response:
        reason = _POSTPONED.get(type(error), "not_now")
        self._log_of(request, "postponed", reason).warning(
            "webhook.postponed",
            reason=reason,
            detail=str(error),
            body_bytes=request.content.total_bytes,
            http_status=self._provider.later_status,
            seconds=self._count("postponed", reason, started),
        )
        return self._later(reason)

    def _later(self, reason: str) -> web.Response:
        return postponement(self._provider.later_status, reason, retry_after_seconds=self._tools.retry_after_seconds)

    def _log_of(self, request: web.Request, outcome: str, reason: str = "") -> FilteringBoundLogger:
        """The logger for the request's line, which names the trace if there is one."""
        if self._tracer is None or (trace_id := note_outcome(request, outcome, reason)) is None:
            return self._log
        return self._log.bind(trace_id=trace_id)

    def _count(self, outcome: str, reason: str, started: float) -> float:
        seconds = perf_counter() - started
        metrics.WEBHOOKS.labels(self._source.name, outcome, reason).inc()
        self._observe_seconds(seconds)
        return round(seconds, 6)


def _encodable(header: str) -> str:
    """The header, with bytes that are not UTF-8 escaped: a strange header must not lose a webhook."""
    return header if header.isascii() else header.encode("utf-8", "backslashreplace").decode()
