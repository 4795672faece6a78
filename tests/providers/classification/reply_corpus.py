"""The corpus of replies, read and compared: see replies/README.md."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from msgspec import Struct

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.reply import Stage

FOLDER = Path(__file__).parent / "replies"
COLUMNS = ["stage", "status", "reply", "expected", "source"]


class CorpusReply(Struct, frozen=True, kw_only=True):
    """One line."""

    system: str  # the file's name: who said it
    stage: Stage
    status: str | None
    text: str
    expected: tuple[tuple[Kind, Cause], ...]
    source: str

    def judged(self) -> Classification:
        """What we make of it."""
        return classify(
            smtp_code=None,
            enhanced_status=self.status,
            diagnostic=self.text,
            permanent=True,
            stage=self.stage,
            recipient="jane@example.org",
            sender="news@shop.example",
        )

    @property
    def is_right(self) -> bool:
        """True when the verdict is one of those that are right."""
        found = self.judged()
        return (found.kind, found.cause) in self.expected

    @property
    def blames_wrongly(self) -> bool:
        """True when a hard verdict blames the recipient for what is no fault of the recipient's."""
        ours = all(CAUSE_BLAME[cause] is Blame.SENDER for _, cause in self.expected)
        return ours and self.judged().kind is Kind.HARD_BOUNCE


@cache
def replies(part: str) -> tuple[CorpusReply, ...]:
    """The lines of `seen` or `set_apart`."""
    return tuple(_read(FOLDER / part))


def share_right(part: str) -> float:
    """How many of 1 are judged right."""
    lines = replies(part)
    return sum(reply.is_right for reply in lines) / len(lines)


def share_of_right_kinds(part: str) -> float:
    """How many of 1 have the right kind, whatever the cause: whether an address is blamed for good."""
    lines = replies(part)
    return sum(reply.judged().kind in {kind for kind, _ in reply.expected} for reply in lines) / len(lines)


def _read(folder: Path) -> Iterator[CorpusReply]:
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            assert rows.fieldnames == COLUMNS, path
            for row in rows:
                assert None not in row, (path.name, row)
                assert all(row.values()), (path.name, row)
                yield _reply(path.stem, row)


def _reply(system: str, row: dict[str, str]) -> CorpusReply:
    verdicts = [verdict.split("/") for verdict in row["expected"].split("|")]
    return CorpusReply(
        system=system,
        stage=Stage.UNKNOWN if row["stage"] == "-" else Stage(row["stage"]),
        status=None if row["status"] == "-" else row["status"],
        text=row["reply"].replace("\\n", "\n"),
        expected=tuple((Kind(kind), Cause(cause)) for kind, cause in verdicts),
        source=row["source"],
    )


if __name__ == "__main__":  # python -m tests.providers.classification.reply_corpus: what comes out wrong
    for reply in replies("seen"):
        if not reply.is_right:
            found = reply.judged()
            print(f"{reply.system}: {reply.stage} {reply.status} {reply.text!r}")
            print(f"    expected {' or '.join('/'.join(pair) for pair in reply.expected)}")
            print(f"    got      {found.kind}/{found.cause}")
    for name in ("seen", "set_apart"):
        kinds = 100 * share_of_right_kinds(name)
        print(
            f"{name}: of {len(replies(name))} replies {100 * share_right(name):.1f} % are judged right, "
            f"and of {kinds:.1f} % the kind"
        )
