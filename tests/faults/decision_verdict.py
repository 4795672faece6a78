"""Was every promise about decisions kept? Compares the answers with the acts and the entries that are stored."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from tests.faults.deciders import Answer, DecisionOutcome
from tests.faults.decision_workload import DecisionCall
from worker.store.decision_rows import DECISION_KINDS
from worker.store.pool import Connection

_ACTS = "SELECT id, idempotency_key, finished_at FROM acts WHERE idempotency_key IS NOT NULL"
_DECISIONS = """
    SELECT e.act_id, a.idempotency_key, c.address, e.rank
      FROM entries e JOIN acts a ON a.id = e.act_id JOIN contacts c ON c.id = e.contact_id
"""


class _StoredAct(Struct, frozen=True, kw_only=True):
    id: int
    is_finished: bool


class DecisionVerdict(Struct, kw_only=True):
    """The figures, and every promise that was broken."""

    acts: int = 0
    decisions: int = 0
    broken: list[str] = []


async def judge_decisions(
    connection: Connection, calls: Sequence[DecisionCall], outcome: DecisionOutcome
) -> DecisionVerdict:
    """Checks each promise; nobody decides any more."""
    verdict = DecisionVerdict()
    acts: dict[str, list[_StoredAct]] = {}
    for act_id, key, finished_at in await connection.fetch(_ACTS):
        acts.setdefault(key, []).append(_StoredAct(id=act_id, is_finished=finished_at is not None))
    stored = await connection.fetch(_DECISIONS)
    verdict.acts, verdict.decisions = sum(map(len, acts.values())), len(stored)
    decided: dict[str, Counter[tuple[str, str]]] = {}
    for _, key, address, rank in stored:
        decided.setdefault(key, Counter())[address, DECISION_KINDS[rank]] += 1
    if invented := (set(acts) | set(decided)) - {call.key for call in calls}:
        verdict.broken.append(f"{len(invented)} acts are stored that nobody asked for")
    for number, call in enumerate(calls):
        verdict.broken += _broken(
            call, acts.get(call.key, []), decided.get(call.key, Counter()), outcome.answers.get(number, [])
        )
    return verdict


def _broken(
    call: DecisionCall, acts: Sequence[_StoredAct], decided: Mapping[tuple[str, str], int], answers: Sequence[Answer]
) -> list[str]:
    """What was promised about this call, and is not so."""
    name = f"{call.key} ({call.kind}, {call.way})"
    broken = []
    if len(acts) > 1:
        broken.append(f"{name} is stored as {len(acts)} acts")
    if twice := [address for (address, _), count in decided.items() if count > 1]:
        broken.append(f"{name} is in effect more than once for {', '.join(twice)}")
    if wrong := set(decided) - {(address, call.kind.value) for address in call.addresses}:
        broken.append(f"{name} has decided what was not asked for: {sorted(wrong)}")
    for answer in answers:
        broken += [f"{name} {problem}" for problem in _false_in(answer, call, acts, decided)]
    return broken


def _false_in(
    answer: Answer, call: DecisionCall, acts: Sequence[_StoredAct], decided: Mapping[tuple[str, str], int]
) -> list[str]:
    """What an answer says that is not so."""
    if not acts:
        return ["was answered 2xx and is not stored"]
    false = []
    if answer.act_id not in {act.id for act in acts if act.is_finished}:
        false.append(f"was answered 2xx, and its act {answer.act_id} is not finished")
    if answer.made != len(decided):
        false.append(f"was answered that {answer.made} decisions are made; {len(decided)} are in effect")
    skipped = {skip.address for skip in answer.skipped_addresses}
    if {address for address, _ in decided} & skipped:
        false.append("has decided about a contact that it was said to skip")
    if answer.made + answer.unchanged + len(skipped) != len(call.addresses):
        false.append(f"was answered about another number of contacts than {len(call.addresses)}")
    if answer.unchanged == 0 and {address for address, _ in decided} | skipped != set(call.addresses):
        false.append("is not in effect for each contact that was not skipped")
    return false
