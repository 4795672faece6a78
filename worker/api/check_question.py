"""The body of `POST /v1/check`, and the memory that its answer needs."""

from http import HTTPStatus

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from schemas.vocabulary import Channel, MailClass, System
from worker.api.request_body import decode_body
from worker.contacts.request_text import require_list_name
from worker.errors import RequestRefused

_LONGEST_ADDRESS_BYTES = 800  # with every second character escaped
_AROUND_ADDRESSES_BYTES = 64 * 1024
# Measured: a known address takes 1,300 bytes on its way from the body to the answer.
_BYTES_AN_ADDRESS = 1_500
_MOST_BYTES_A_CHARACTER = 4  # of a Python text
_OTHER_TEXTS = 16  # names of fields, and their values


class CheckRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/check`. An unknown field is refused: a misspelt mail_class must not go unnoticed."""

    addresses: list[str]
    mail_class: MailClass = MailClass.MARKETING  # the class that is forbidden more often
    account: str | UnsetType = UNSET
    channel: Channel = Channel.EMAIL
    scope: str | None = None  # the list or group that the mail is for; None: any opt-out counts
    names: System | None = None  # whose name each status gets beside our own


_decoder = msgspec.json.Decoder(CheckRequest)


def most_body_bytes(most_addresses: int) -> int:
    """The largest body with so many addresses."""
    return _AROUND_ADDRESSES_BYTES + most_addresses * _LONGEST_ADDRESS_BYTES


def question_bytes(body: bytearray, *, most_addresses: int, other_texts: int = _OTHER_TEXTS) -> int:
    """The estimated number of bytes that the question needs until it is answered.

    The body is not decoded for this. Raises RequestRefused if it holds too many texts for the limit.
    """
    texts = (body.count(b'"') - body.count(b'\\"')) // 2
    if texts > most_addresses + other_texts:
        raise too_many_addresses(f"more than {most_addresses}", most_addresses)
    return texts * _BYTES_AN_ADDRESS + len(body) * _MOST_BYTES_A_CHARACTER


def read_question(body: bytearray, *, most_addresses: int) -> CheckRequest:
    """The question. Raises RequestRefused."""
    question = decode_body(
        body,
        _decoder,
        accepted_by="/v1/check",
        schema="CheckRequest",
        example='{"addresses": ["jane@example.org"]}',
    )
    if len(question.addresses) > most_addresses:
        raise too_many_addresses(str(len(question.addresses)), most_addresses)
    if question.scope is None:
        return question
    return structs.replace(question, scope=require_list_name("bad-parameter", "scope", question.scope))


def too_many_addresses(count: str, most_addresses: int) -> RequestRefused:
    """The refusal of a request with so many addresses."""
    return RequestRefused(
        "too-many-addresses",
        f"The request holds {count} addresses; the limit is {most_addresses}.",
        remedy=f"Ask in several requests of up to {most_addresses} addresses.",
        http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
