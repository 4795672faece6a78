"""The parameters of a request: each in its range; an unknown one is refused."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from aiohttp import web

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel, System
from worker.errors import RequestRefused

_SHOWN_CHARACTERS = 40

_Word = TypeVar("_Word", bound=StrEnum)


class ContactQuery(NamedTuple):
    """The contact of a request under /v1/contacts."""

    address: str  # normalised
    channel: Channel


def contact_query(request: web.Request, more: Collection[str] = ()) -> ContactQuery:
    """The contact that the path and the query name, without its account.

    `more` are the route's other parameters. Raises RequestRefused.
    """
    query = known_query(request, {"account", "channel", *more})
    channel = known_word(Channel, "channel", query.get("channel", Channel.EMAIL.value), "There is no channel {}.")
    address = normalise_recipient(request.match_info["address"], channel)
    if address is None:
        what, example = (
            ("an e-mail address", "jane%2Bnews%40example.org")
            if channel is Channel.EMAIL
            else ("a phone number with its country", "%2B491701234567?channel=sms")
        )
        raise RequestRefused(
            "no-address",
            f"The address in the path is not {what}.",
            remedy=f"Send one, percent-encoded: /v1/contacts/{example}.",
        )
    return ContactQuery(address, channel)


def asked_names(request: web.Request) -> System | None:
    """Whose name a status gets beside our own. Raises RequestRefused."""
    name = request.query.get("names")
    return None if name is None else known_word(System, "names", name, "We have no names of {}.")


def known_word(words: type[_Word], parameter: str, word: str, fault: str) -> _Word:
    """The word of an enumeration. Raises RequestRefused, with the word in the place of {} in `fault`."""
    try:
        return words(word)
    except ValueError:
        raise RequestRefused(
            "bad-parameter",
            fault.format(repr(word[:_SHOWN_CHARACTERS])),
            remedy=f"Use one of {', '.join(f'{parameter}={one}' for one in words)}.",
        ) from None


def known_query(request: web.Request, known: set[str]) -> Mapping[str, str]:
    """The query. Raises RequestRefused if it has an unknown parameter: a misspelt one must not go unnoticed."""
    if unknown := sorted(set(request.query) - known):
        raise RequestRefused(
            "bad-parameter",
            f"This route has no parameter {unknown[0]!r}.",
            remedy=f"Use {', '.join(sorted(known))}.",
        )
    return request.query


def number_in_range(
    query: Mapping[str, str], name: str, default: float, least: float, most: float, *, whole: bool = False
) -> float:
    """The parameter, or the default if it is missing. Raises RequestRefused if it is out of range."""
    text = query.get(name)
    if text is None:
        return default
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        kind = "whole number" if whole else "number"
        raise RequestRefused(
            "bad-parameter",
            f"{name} is {text[:_SHOWN_CHARACTERS]!r}, which is not a {kind} from {least:g} to {most:g}.",
            remedy=f"Leave {name} out for {default:g}, or send a number in that range.",
        )
    return number


def unknown_contact(account: str) -> RequestRefused:
    """The error if nothing was ever reported about a contact."""
    return RequestRefused(
        "unknown-contact",
        f"No ESP has reported anything about this address in account {account!r}.",
        remedy="Nothing forbids mailing it.",
        http_status=HTTPStatus.NOT_FOUND,
    )
