"""The check of whole files: rows go out as they are answered, and the fall-out is told at the end."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from schemas.vocabulary import Channel, MailClass
from worker.commands.support.output import REACHED, moment
from worker.commands.support.progress_bar import Progress, progress_bar
from worker.commands.support.recipient_table import RecipientTable
from worker.policy.fall_out import fall_out

if TYPE_CHECKING:
    from worker.contacts.check import CheckAnswer, CheckResult

_HEADINGS = ("address", "send?", "status", "reason", "since", "until")
AT_ONCE = 5_000
_WORTH_A_BAR_BYTES = 200_000
_WORTH_A_BAR_ADDRESSES = 10_000

Ask = Callable[[Sequence[str]], Awaitable["CheckAnswer"]]


class FallOut(Struct, kw_only=True):
    """What came of all addresses together."""

    mail_class: MailClass
    channel: Channel
    scope: str | None
    allowed: int = 0
    forbidden: int = 0
    allowed_by_status: Counter[str] = msgspec.field(default_factory=Counter)
    forbidden_by_status: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, answer: "CheckAnswer") -> None:
        """Counts the answer in."""
        self.allowed += answer.allowed
        self.forbidden += answer.forbidden
        self.allowed_by_status.update(answer.allowed_by_status)
        self.forbidden_by_status.update(answer.forbidden_by_status)

    @property
    def sentence(self) -> str:
        """For a person."""
        may = f"{self.allowed} may be {REACHED[self.channel]} ({self.mail_class})"
        return f"{may}, {self.forbidden} may not: {fall_out(self.forbidden_by_status)}"


async def check_stream(
    ask: Ask,
    named: Sequence[str],
    tables: Sequence[RecipientTable],
    output: IO[str],
    *,
    total: FallOut,
    as_json: bool,
    names: str | None,
) -> None:
    """Asks about the addresses that are named and those of the tables, and writes a row for each, in their order."""
    encode = msgspec.json.Encoder().encode
    if not as_json:
        output.write("\t".join(headings(names)) + "\n")
    with ExitStack() as stack:
        # Beside rows on the same terminal a bar would only be in the way.
        progress = None if output.isatty() else stack.enter_context(_bar(tables))
        async for answer in _answers(ask, named, tables, progress):
            total.add(answer)
            if as_json:
                output.writelines(f"{encode(result).decode()}\n" for result in answer.results)
            else:
                output.writelines("\t".join(cells(result, names)) + "\n" for result in answer.results)
    output.flush()


def headings(names: str | None) -> tuple[str, ...]:
    """Above the rows; `names` is the system whose names were asked for."""
    return _HEADINGS if names is None else (*_HEADINGS, f"in {names}")


def cells(result: "CheckResult", names: str | None) -> tuple[str, ...]:
    """The row of one address."""
    row = (
        " ".join(result.address.split()),
        "yes" if result.allowed else "NO",
        result.status or "not an address",
        result.reason or "",
        moment(result.since),
        moment(result.until),
    )
    return row if names is None else (*row, result.name or "")


def tell(total: FallOut, *, as_json: bool) -> None:
    """The fall-out, on stderr: what is on standard output can be read on as rows."""
    if as_json:
        sys.stderr.write(msgspec.json.encode(total).decode() + "\n")
        return
    sys.stderr.write(total.sentence + "\n")


async def _answers(
    ask: Ask, named: Sequence[str], tables: Sequence[RecipientTable], progress: Progress | None
) -> AsyncIterator["CheckAnswer"]:
    for place in range(0, len(named), AT_ONCE):
        yield await ask(named[place : place + AT_ONCE])
    read, addresses = 0, 0
    sizes = [table.total_bytes for table in tables]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    for table in tables:
        for some in _some_at_once(table):
            yield await ask(some)
            addresses += len(some)
            if progress is not None:
                progress(addresses if total is None else read + table.bytes_read, total)
        read += table.bytes_read


def _some_at_once(table: RecipientTable) -> Iterator[list[str]]:
    addresses = (address for address, _ in table)
    while some := list(islice(addresses, AT_ONCE)):
        yield some


def _bar(tables: Sequence[RecipientTable]) -> AbstractContextManager[Progress | None]:
    of_bytes = all(table.total_bytes is not None for table in tables)
    return progress_bar("checking", least=_WORTH_A_BAR_BYTES if of_bytes else _WORTH_A_BAR_ADDRESSES, of_bytes=of_bytes)
