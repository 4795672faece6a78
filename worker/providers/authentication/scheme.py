"""How webhooks prove where they come from: each way is a scheme, and a provider names those that its vendor has.

All of a source's secrets are tried each time, so that the number of configured secrets does not show in how
long an answer takes. Pure: no clock, no I/O.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Protocol

from schemas.source import Source
from worker.process.spelling import closest
from worker.providers.authentication.callers_address import address_problems
from worker.providers.provider import Refused, WebhookRequest

OPEN = "none"  # Source.authentication of a source that anybody may post to, said in so many words


class Scheme(Protocol):
    """One way of proof."""

    # The largest body, unfolded, that `refuse` reads before anything is proved: it is read by a decoder that skips all
    # but the proof. 0 where the head of the request proves all. None where the body is hashed and not read: a hash
    # costs the same whatever the bytes are.
    unproven_bytes: ClassVar[int | None]

    def refuse(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """None when the request is authentic under one of the source's secrets."""
        ...

    def check_secrets(self, source: Source) -> list[str]:
        """What is wrong with the form of the source's secrets, each with its remedy; [] when nothing."""
        ...


def is_open(source: Source) -> bool:
    """True when the operator has said `authentication = "none"`; an empty setting never means that."""
    return source.authentication == OPEN


def check_common(
    source: Source, *, secret_help: str, schemes: Iterable[str] = ("",), secret_required: bool = True
) -> list[str]:
    """What is wrong with the parts of a source that every provider shares, each with its remedy.

    `secret_help` says where the vendor's secret is found. `schemes` are the values of `authentication` that the
    provider knows besides "none". A provider whose signatures are verified with the vendor's published keys needs no
    secret of the operator's.
    """
    problems = []
    known = [*schemes, OPEN]
    if source.authentication not in known:
        problems.append(
            f'authentication = "{source.authentication}" is not known to {source.provider}: '
            + _scheme_remedy(source.authentication, known)
        )
    elif secret_required and not source.secrets and not is_open(source):
        problems.append(
            f'no secret: {secret_help}; or say authentication = "none" when anybody may post to this source'
        )
    if any(not secret.reveal() for secret in source.secrets):
        problems.append("one of the secrets is empty: take it out or fill it in")
    return problems + address_problems(source)


def _scheme_remedy(given: str, known: list[str]) -> str:
    named = [scheme for scheme in known if scheme]
    # An open source is never proposed: it must be meant.
    if close := closest(given, [scheme for scheme in named if scheme != OPEN]):
        return f'did you mean "{close}"?'
    offered = " or ".join(f'"{scheme}"' for scheme in named)
    # The vendor's own way has no name.
    own_way = ", or leave it out for the provider's own way" if "" in known else ""
    return f"write {offered}{own_way}"
