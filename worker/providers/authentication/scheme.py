"""Schemes by which webhooks prove where they come from. A provider lists the schemes that its vendor supports.

All secrets of a source are tried each time, so that the time of an answer does not show how many there are. Pure: no
clock, no I/O.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from schemas.source import Source
from worker.process.spelling import closest
from worker.providers.authentication.callers_address import address_problems
from worker.providers.authentication.source_options import Option
from worker.providers.verdict import Answered, CertificateNeeded, Refused
from worker.providers.webhook_request import WebhookRequest

OPEN = "none"  # Source.authentication of a source to which everybody may post; it must be written explicitly


# None if the request is authentic at this moment.
Refuse = Callable[[WebhookRequest, datetime], Refused | None]


class Scheme(Protocol):
    """One scheme."""

    # The largest decompressed body of an unauthenticated request that `refuse` reads, with a decoder that skips
    # everything but the proof. 0 if the head of the request proves everything. None if the body is hashed and not
    # read: the cost of a hash does not depend on the content.
    unproven_bytes: ClassVar[int | None]

    @property
    def options(self) -> tuple[Option[Any], ...]:
        """The options that a source may set for it."""
        ...

    def bind(self, source: Source, /) -> Refuse:
        """The scheme with the secrets and options of one source."""
        ...

    def check_secrets(self, source: Source, /) -> list[str]:
        """The mistakes in the form of the source's secrets, each with its remedy."""
        ...


class Proof(Protocol):
    """A proof bound to one source."""

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """The refusal by `refuse` of any request with this head; None if that depends on the body."""
        ...

    def refuse(
        self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Refused | Answered | CertificateNeeded | None:
        """None if the request is authentic; otherwise mostly Refused.

        Answered if the vendor expects an answer although nothing is proved. `certificates` are the known ones, by URL.
        """
        ...


class SchemeProof(Struct, frozen=True, kw_only=True):
    """A bound scheme: its keys are the source's, and it needs no certificates."""

    judge: Refuse
    unproven_bytes: int | None

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """The scheme's refusal, if the head proves everything."""
        return self.judge(request, now) if self.unproven_bytes == 0 else None

    def refuse(
        self,
        request: WebhookRequest,
        *,
        now: datetime,
        certificates: Mapping[str, bytes],  # noqa: ARG002 - of other proofs
    ) -> Refused | None:
        """The scheme's refusal."""
        return self.judge(request, now)


def is_open(source: Source) -> bool:
    """True if the operator has set `authentication = "none"`; an empty setting never means that."""
    return source.authentication == OPEN


def check_common(
    source: Source, *, secret_help: str, schemes: Iterable[str] = ("",), secret_required: bool = True
) -> list[str]:
    """The mistakes in the parts of a source that all providers share, each with its remedy.

    `secret_help` says where to find the vendor's secret. `schemes` are the values of `authentication` that the provider
    supports besides "none". A provider whose signatures are verified with the vendor's published keys needs no secret.
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


def _scheme_remedy(name: str, known: list[str]) -> str:
    all_names = [scheme for scheme in known if scheme]
    # "none" is never suggested: nobody must choose it by mistake.
    if close := closest(name, [scheme for scheme in all_names if scheme != OPEN]):
        return f'did you mean "{close}"?'
    offered = " or ".join(f'"{scheme}"' for scheme in all_names)
    # The vendor's own way has no name.
    own_way = ", or leave it out for the provider's own way" if "" in known else ""
    return f"write {offered}{own_way}"
