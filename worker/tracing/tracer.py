"""Traces as the rest of the program sees them. Nothing of OpenTelemetry is imported here, or while traces are off.

A span exists only of what is traced: everything else gets None, and costs a comparison.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from types import TracebackType
from typing import Protocol, Self

from schemas.trace_context import TraceContext

Attributes = Mapping[str, str | int | float | bool]

MOST_LINKS = 256  # of one span


class Kind(Enum):
    """What a span is to those before and after it, as OpenTelemetry names it."""

    SERVER = auto()
    CLIENT = auto()
    PRODUCER = auto()
    CONSUMER = auto()


class Span(Protocol):
    """Something that takes time. Used as a block, it ends with the block, and an error of the block is its failure."""

    @property
    def context(self) -> TraceContext:
        """Its place in its trace, for what follows from it."""
        ...

    @property
    def trace_id(self) -> str:
        """The trace, as log lines name it: 32 hexadecimal digits."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Adds attributes. Never a person's address, a secret or a body."""
        ...

    def fail(self, error_type: str) -> None:
        """It has failed: a word of low cardinality, such as a status code or the name of an error."""
        ...

    def end(self) -> None:
        """It ends now."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Tracer(Protocol):
    """Makes spans of the process."""

    @property
    def messaging_system(self) -> str:
        """The queue's name among the conventions: `rabbitmq` or `postgresql`."""
        ...

    @property
    def continues_from_proxies(self) -> bool:
        """True if the trace that a trusted proxy names is continued."""
        ...

    def by_chance(self) -> bool:
        """Whether what begins now is traced: True as often as the ratio says. Costs nothing else."""
        ...

    def request(
        self,
        name: str,
        attributes: Attributes,
        *,
        caller: TraceContext | None = None,
        is_trusted: bool = False,
        is_chosen: bool = False,
        kind: Kind = Kind.SERVER,
        started_ns: int | None = None,
    ) -> Span | None:
        """The first span of something that begins here; None if it is not traced.

        A trusted caller's trace is continued, and the caller decides whether it is traced. Of all others we decide by
        chance, and only link to their trace: nobody makes us trace more than the ratio. `is_chosen` if `by_chance` has
        decided already. `started_ns` is in nanoseconds of the Unix epoch, now if it is left out.
        """
        ...

    def child(
        self, parent: TraceContext, name: str, kind: Kind, attributes: Attributes, links: Sequence[TraceContext] = ()
    ) -> Span | None:
        """A span below another one; None if that is not traced or cannot be read."""
        ...

    def batch(self, members: Sequence[TraceContext], name: str, kind: Kind, attributes: Attributes) -> Span | None:
        """A span of its own trace, with a link to each member; None if none of them is traced.

        Only the first MOST_LINKS members get one.
        """
        ...


_active: list[Tracer] = []


def active_tracer() -> Tracer | None:
    """The tracer of this process; None while traces are off."""
    return _active[0] if _active else None


def use_tracer(tracer: Tracer | None) -> None:
    """Sets the tracer of this process, before its services begin."""
    _active[:] = [] if tracer is None else [tracer]
