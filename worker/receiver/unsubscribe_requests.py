"""Requests to `/u/TOKEN`: GET shows a page and changes nothing, POST is processed like a webhook.

A POST is queued before it is answered. Mail programs read JSON in the answer, as senders of webhooks do; browsers get
a page, also when the choice could not be stored.
"""

from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web

from schemas.source import Secret
from worker.process import metrics
from worker.process.logs import get_logger
from worker.providers.vendors.unsubscribe_page import unsubscribe_page
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import Choice, refusal_of, source_of, token_of
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import TokenFault, UnsubscribeKeys
from worker.receiver.answers import refusal
from worker.receiver.unsubscribe_html import HEADERS, UnsubscribeHtml
from worker.receiver.webhooks import SourceWebhooks, Tools

ROUTE = f"{unsubscribe_page.PATH}{{token:.*}}"  # everything behind the path: people see a link that does not work
_ALLOWED = "GET, HEAD, POST"
_USE_GET_OR_POST = "Open the link with GET, or post List-Unsubscribe=One-Click as a form (RFC 8058)."
# For mail programs, by HTTP status: the receiver's own are for senders of webhooks.
_REMEDIES: dict[int, str] = {
    HTTPStatus.REQUEST_TIMEOUT: "Send the body faster: List-Unsubscribe=One-Click is one line.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Send List-Unsubscribe=One-Click and nothing else: that is one line.",
}
_log = get_logger()


class UnsubscribeRequests:
    """Handles the requests to `/u/{token}`."""

    def __init__(self, secrets: tuple[Secret, ...], page: UnsubscribeHtml, tools: Tools) -> None:
        self._keys = UnsubscribeKeys(secrets)
        self._html = page
        self._remote_address = tools.remote_address
        self._webhooks = SourceWebhooks(source_of(secrets), unsubscribe_page.PROVIDER, tools, remedies=_REMEDIES)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to one request. Success of a POST means that the queue has confirmed it."""
        match request.method:
            case hdrs.METH_POST:
                answer = await self._webhooks.handle(request)
            case hdrs.METH_GET | hdrs.METH_HEAD:
                return self._show(request)
            case _:
                answer = refusal(HTTPStatus.METHOD_NOT_ALLOWED, "wrong_method", allow=_ALLOWED, remedy=_USE_GET_OR_POST)
        return self._as_page(request, answer) if _reads_html(request) else answer

    def _show(self, request: web.Request) -> web.Response:
        link = self._keys.read(token_of(request.path))
        if not isinstance(link, TokenFault):
            metrics.UNSUBSCRIBE_PAGES.labels("shown").inc()
            return _html(HTTPStatus.OK, self._html.question(link))
        metrics.UNSUBSCRIBE_PAGES.labels(link.value).inc()
        refused = refusal_of(link)
        _log.warning(
            "unsubscribe.refused",
            reason=refused.reason,
            detail=refused.detail,
            http_status=refused.http_status,
            remote_address=self._remote_address.of_request(request),
        )
        return _html(refused.http_status, self._html.broken_link())

    def _as_page(self, request: web.Request, answer: web.StreamResponse) -> web.Response:
        """The answer for a person, with the status of the one for a machine."""
        link = self._keys.read(token_of(request.path))
        if isinstance(link, TokenFault):
            page = _html(answer.status, self._html.broken_link())
        elif answer.status == HTTPStatus.OK and isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            noted = msgspec.json.decode(answer.body)["noted"]
            page = _html(answer.status, self._html.noted(Choice(noted), link))
        elif answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            page = _html(answer.status, self._html.unclear())
        else:
            page = _html(answer.status, self._html.later())
        for name in (hdrs.RETRY_AFTER, hdrs.ALLOW):
            if (value := answer.headers.get(name)) is not None:
                page.headers[name] = value
        if not request.content.is_eof():
            page.force_close()
        return page


def _reads_html(request: web.Request) -> bool:
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def _html(http_status: int, text: str) -> web.Response:
    return web.Response(status=http_status, text=text, content_type="text/html", headers=HEADERS)
