"""The body of `POST /v1/check`, and what answering it will take."""

from http import HTTPStatus

import msgspec
from msgspec import Struct

from schemas.vocabulary import Channel, MailClass
from worker.errors import RequestRefused

_LONGEST_ADDRESS_BYTES = 800  # with every second character escaped
_AROUND_ADDRESSES_BYTES = 64 * 1024
# Measured: an address that is known takes 1,300 bytes on its way from the body to the answer.
_BYTES_AN_ADDRESS = 1_500
_MOST_BYTES_A_CHARACTER = 4  # of a Python text
_OTHER_TEXTS = 16  # names of fields, and their values


class CheckRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/check`. An unknown field is refused: a misspelt mail_class must not go unseen."""

    addresses: list[str]
    mail_class: MailClass = MailClass.MARKETING  # the class that is forbidden more often
    account: str = "default"
    channel: Channel = Channel.EMAIL


_decoder = msgspec.json.Decoder(CheckRequest)


def most_body_bytes(most_addresses: int) -> int:
    """How large the body of so many addresses can be."""
    return _AROUND_ADDRESSES_BYTES + most_addresses * _LONGEST_ADDRESS_BYTES


def question_bytes(body: bytearray, *, most_addresses: int) -> int:
    """About how many bytes the question takes until it is answered, told from its bytes alone.

    Raises RequestRefused where so many texts cannot be within the limit: they are not even decoded.
    """
    texts = (body.count(b'"') - body.count(b'\\"')) // 2
    if texts > most_addresses + _OTHER_TEXTS:
        raise _too_many(f"more than {most_addresses}", most_addresses)
    return texts * _BYTES_AN_ADDRESS + len(body) * _MOST_BYTES_A_CHARACTER


def read_question(body: bytearray, *, most_addresses: int) -> CheckRequest:
    """The question. Raises RequestRefused."""
    try:
        asked = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is not what /v1/check takes: {error}.",
            remedy="See CheckRequest in /v1/openapi.yaml.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is no JSON: {error}.",
            remedy='Send a JSON object such as {"addresses": ["jane@example.org"]} in UTF-8.',
            http_status=HTTPStatus.BAD_REQUEST,
        ) from error
    if len(asked.addresses) > most_addresses:
        raise _too_many(str(len(asked.addresses)), most_addresses)
    return asked


def _too_many(count: str, most_addresses: int) -> RequestRefused:
    return RequestRefused(
        "too-many-addresses",
        f"The request holds {count} addresses, {most_addresses} are answered at once.",
        remedy=f"Ask in several requests of up to {most_addresses} addresses.",
        http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
