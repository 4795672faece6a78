"""`POST /v1/unsubscribe-links`: the links and header fields for many mails at once. Nothing is stored."""

import asyncio
from http import HTTPStatus
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel
from worker.api.asked_account import asked_account
from worker.api.check_question import most_body_bytes, question_bytes, too_many_addresses
from worker.api.request_body import decode_body, read_body
from worker.api.request_edge import LINE, REQUEST_LOAD
from worker.contacts.request_text import require_list_name
from worker.errors import RequestRefused
from worker.providers.vendors.unsubscribe_page.made_link import make_link
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.settings.tree import UnsubscribeSettings
from worker.store.pool import Pool

_DEFAULT_ACCOUNT = "default"
_OTHER_TEXTS = 16  # names of fields, and their values
_LINKS_AT_ONCE = 200  # a few milliseconds

_Word = Annotated[str, Meta(max_length=200)]


class UnsubscribeLinksRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body. An unknown field is refused: a misspelt `list` would make links that end all of them."""

    addresses: list[str]
    list: _Word = ""
    message_id: _Word = ""
    campaign: _Word = ""
    account: str | UnsetType = UNSET
    channel: Channel = Channel.EMAIL


class UnsubscribeLinkResult(Struct, frozen=True, kw_only=True):
    """What is made for one address."""

    address: str  # as it was given
    url: str | None = None
    headers: dict[str, str] = {}
    problem: str | None = None


class UnsubscribeLinksAnswer(Struct, frozen=True, kw_only=True):
    """One result for each address, in their order."""

    made: int
    refused: int
    links: list[UnsubscribeLinkResult]


class LinkMaker:
    """Makes links by the configured secrets."""

    def __init__(self, *, pool: Pool, settings: UnsubscribeSettings, most_addresses: int) -> None:
        self.pool = pool
        self.most_addresses = most_addresses
        self._keys = UnsubscribeKeys(settings.secrets)
        self._base_url = settings.url

    def require_settings(self) -> None:
        """Raises RequestRefused if there is no secret to make links with, or no URL that they lead to."""
        if not self._keys or not self._base_url:
            raise RequestRefused(
                "no-unsubscribe-links",
                "This API has no secret for unsubscribe links, or does not know their URL.",
                remedy="The operator sets unsubscribe.secrets and unsubscribe.url.",
            )

    def make(self, address: str, asked: UnsubscribeLinksRequest, account: str) -> UnsubscribeLinkResult:
        """The link for one address."""
        if normalise_recipient(address, asked.channel) is None:
            return UnsubscribeLinkResult(address=address, problem="this is not an address")
        link = UnsubscribeLink(
            address=address,
            list=asked.list,
            account="" if account == _DEFAULT_ACCOUNT else account,
            channel=asked.channel,
            message_id=asked.message_id,
            campaign=asked.campaign,
        )
        made = make_link(self._keys, link, base_url=self._base_url)
        if made is None:
            return UnsubscribeLinkResult(address=address, problem="the link would be too long for a header line")
        return UnsubscribeLinkResult(address=address, url=made.url, headers=made.headers)


LINK_MAKER: web.AppKey[LinkMaker] = web.AppKey("link_maker")
_decoder = msgspec.json.Decoder(UnsubscribeLinksRequest)
_encoder = msgspec.json.Encoder()


async def make_unsubscribe_links(request: web.Request) -> web.Response:
    """`POST /v1/unsubscribe-links`."""
    load, maker = request[REQUEST_LOAD], request.app[LINK_MAKER]
    most = maker.most_addresses
    body = await read_body(request, load, most_bytes=most_body_bytes(most))
    await load.hold_answer(question_bytes(body, most_addresses=most, other_texts=_OTHER_TEXTS))
    asked = decode_body(
        body,
        _decoder,
        accepted_by="/v1/unsubscribe-links",
        schema="UnsubscribeLinksRequest",
        example='{"addresses": ["jane@example.org"], "list": "newsletter"}',
    )
    if len(asked.addresses) > most:
        raise too_many_addresses(str(len(asked.addresses)), most)
    if asked.list:
        asked = structs.replace(asked, list=require_list_name("bad-parameter", "list", asked.list))
    account = await asked_account(request, maker.pool, None if asked.account is UNSET else asked.account)
    maker.require_settings()
    links: list[UnsubscribeLinkResult] = []
    for begin in range(0, len(asked.addresses), _LINKS_AT_ONCE):
        links += [maker.make(address, asked, account) for address in asked.addresses[begin : begin + _LINKS_AT_ONCE]]
        await asyncio.sleep(0)  # others have their turn
    made = sum(link.url is not None for link in links)
    request[LINE].update(made=made, skipped=len(links) - made)
    answer = UnsubscribeLinksAnswer(made=made, refused=len(links) - made, links=links)
    return web.Response(status=HTTPStatus.OK, body=_encoder.encode(answer), content_type="application/json")
