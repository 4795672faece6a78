"""A vendor described in TOML: where its events are, what they are called, and how its requests prove themselves.

    name = "pigeon"                          # what events are labelled with

    [authentication]
    scheme = "hmac"                          # or basic, bearer, header, query, standard_webhooks, public_key
    header = "x-pigeon-signature"

    [payload]
    events = "letters"                       # JMESPath to the events; without it the body is one, or an array

    [fields]                                 # JMESPath in one event; an expression may fall back: "to || email"
    event = "type"
    address = "to"
    occurred_at = "at"
    id = "id"
    diagnostic = "reply"

    [events]                                 # the vendor's names; "name/class" where fields.class is given
    arrived = "delivered"
    returned = "bounce"                      # the server's codes and words decide which
    "returned/full" = { kind = "soft_bounce", cause = "mailbox_full" }

A text is compiled once. Paths are JMESPath, https://jmespath.org.
"""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import ImpossibleSetting
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken, QueryToken
from worker.providers.authentication.hmac_signature import HmacSignature
from worker.providers.authentication.public_key import PublicKeySignature
from worker.providers.authentication.signed_template import ID, TIMESTAMP, read_template
from worker.providers.authentication.standard_webhooks import StandardWebhooks
from worker.providers.payload.json_path import JsonPath, compile_path

DescribedScheme = BasicCredentials | HeaderToken | QueryToken | HmacSignature | StandardWebhooks | PublicKeySignature

_SCHEMES = sorted({"bearer", *(str(scheme.__struct_config__.tag) for scheme in get_args(DescribedScheme))})

# Not one of our kinds: a failure that the server's codes and words make hard or soft.
BOUNCE = "bounce"
_KINDS = frozenset({BOUNCE, *Kind})

_HEADER_FIELDS = ("header", "timestamp_header", "id_header")


class Meaning(Struct, frozen=True, forbid_unknown_fields=True):
    """The meaning of one of the vendor's names."""

    kind: str  # a Kind's value, or BOUNCE
    cause: Cause | None = None  # None: the server's codes and words decide

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown kind."""
        if self.kind not in _KINDS:
            raise ValueError(f"{self.kind!r} is no kind of event: use one of {', '.join(sorted(_KINDS))}")


class Payload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the events are in a body."""

    format: Literal["json", "json_lines", "form"] = "json"
    events: str = ""
    form_field: str = ""  # of a form: the parameter that holds JSON; "" = the parameters are the event


class Fields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the fields of an event are: a JMESPath expression each, or "" without one."""

    event: str
    address: str  # a text, or a list of them: an event for each
    event_class: str = msgspec.field(name="class", default="")
    occurred_at: str = ""
    id: str = ""
    message_id: str = ""
    smtp_code: str = ""
    enhanced_status: str = ""
    diagnostic: str = ""
    scope: str = ""
    machine: str = ""
    test: str = ""  # true, or a text or list that is not empty: a sample of the vendor's console
    tags: str = ""
    metadata: str = ""
    campaign: str = ""


class Description(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vendor."""

    name: str
    authentication: DescribedScheme
    fields: Fields
    events: dict[str, Meaning]
    payload: Payload = Payload()
    title: str = ""
    channel: Channel = Channel.EMAIL  # of sms, addresses are numbers in E.164


class CompiledDescription(Struct, frozen=True, kw_only=True):
    """A description with its expressions ready to be searched with; those that are "" are left out."""

    description: Description
    events: JsonPath | None
    fields: dict[str, JsonPath]


@lru_cache(maxsize=64)
def compile_description(text: str) -> CompiledDescription:
    """The description in this TOML text; raises ImpossibleSetting."""
    try:
        values = tomllib.loads(text)
        description = msgspec.convert(_spelled(values), Description)
    except tomllib.TOMLDecodeError as error:
        raise ImpossibleSetting(f"it is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        hint = f": use one of {', '.join(_SCHEMES)}" if "authentication.scheme" in f"{error}" else ""
        raise ImpossibleSetting(f"{error}{hint}") from error
    if not description.name.replace("_", "").replace("-", "").isalnum():
        raise ImpossibleSetting(f"name = {description.name!r}: use letters, digits, - and _")
    if isinstance(description.authentication, HmacSignature):
        _check_signed(description.authentication)
    if not description.events:
        raise ImpossibleSetting("[events] is empty: name at least one event of the vendor's")
    expressions = {name: getattr(description.fields, name) for name in Fields.__struct_fields__}
    return CompiledDescription(
        description=description,
        events=_expression("payload.events", description.payload.events),
        fields={
            name: expression
            for name, text in expressions.items()
            if (expression := _expression(f"fields.{name}", text))
        },
    )


def _check_signed(scheme: HmacSignature) -> None:
    """Raises ImpossibleSetting if the signature would not prove what it seems to."""
    template = read_template(scheme.signed)
    if problem := template.problem():
        raise ImpossibleSetting(f"signed = {scheme.signed!r}: {problem}")
    if (TIMESTAMP in template.fields) is not bool(scheme.timestamp_header):
        raise ImpossibleSetting(
            "signed and timestamp_header: give both {timestamp} and the header that has it, or neither, since a time "
            "that is not signed proves nothing"
        )
    if ID in template.fields and not scheme.id_header:
        raise ImpossibleSetting("signed: {id} needs the header that has it in id_header")


def _expression(where: str, text: str) -> JsonPath | None:
    if not text:
        return None
    try:
        return compile_path(text)
    except ValueError as error:
        raise ImpossibleSetting(f"{where}: {error}") from error


def _spelled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with short forms written in full."""
    spelled = dict(values)
    authentication = spelled.get("authentication")
    if isinstance(authentication, dict):
        scheme = dict(authentication)
        if scheme.get("scheme") == "bearer":
            scheme |= {"scheme": "header", "header": "authorization", "prefix": "Bearer "}
        scheme |= {name: scheme[name].lower() for name in _HEADER_FIELDS if isinstance(scheme.get(name), str)}
        spelled["authentication"] = scheme
    events = spelled.get("events")
    if isinstance(events, dict):
        spelled["events"] = {
            name: {"kind": meaning} if isinstance(meaning, str) else meaning for name, meaning in events.items()
        }
    return spelled
