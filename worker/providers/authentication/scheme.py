"""How webhooks prove where they come from: each way is a scheme, and a provider names those that its vendor has.

All of a source's secrets are tried each time, so that the number of configured secrets does not show in how
long an answer takes. Pure: no clock, no I/O.
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

OPEN = "none"  # Source.authentication of a source that anybody may post to, said in so many words


# None when a request is authentic at this moment.
Refuse = Callable[[WebhookRequest, datetime], Refused | None]


class Scheme(Protocol):
    """One way of proof."""

    # The largest body, decompressed, that `refuse` reads of an unauthenticated request, with a decoder that skips all
    # but the proof. 0 if the head of the request proves everything. None if the body is hashed and not read: a hash
    # costs the same whatever the bytes are.
    unproven_bytes: ClassVar[int | None]

    @property
    def options(self) -> tuple[Option[Any], ...]:
        """What a source may set for it."""
        ...

    def bind(self, source: Source, /) -> Refuse:
        """The scheme with the secrets and options of one source."""
        ...

    def check_secrets(self, source: Source, /) -> list[str]:
        """What is wrong with the form of the source's secrets, each with its remedy; [] when nothing."""
        ...


class Proof(Protocol):
    """A way of proof, bound to one source."""

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """What `refuse` would say of any request with this head; None where the body decides too."""
        ...

    def refuse(
        self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Refused | Answered | CertificateNeeded | None:
        """None when the request is authentic. Mostly Refused; Answered where the vendor waits for it though nothing
        is proved. `certificates` are those at hand, by their URLs.
        """
        ...


class SchemeProof(Struct, frozen=True, kw_only=True):
    """A scheme that was bound: its keys are the source's, and need no certificates."""

    judge: Refuse
    unproven_bytes: int | None

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """The scheme's refusal where the head proves all."""
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


def _scheme_remedy(name: str, known: list[str]) -> str:
    named = [scheme for scheme in known if scheme]
    # An open source is never proposed: it must be meant.
    if close := closest(name, [scheme for scheme in named if scheme != OPEN]):
        return f'did you mean "{close}"?'
    offered = " or ".join(f'"{scheme}"' for scheme in named)
    # The vendor's own way has no name.
    own_way = ", or leave it out for the provider's own way" if "" in known else ""
    return f"write {offered}{own_way}"
