"""What comes late into a long log gives the facts of folding all of it anew, and seldom reads much of it."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec
from hypothesis import assume, given, settings
from hypothesis import event as note
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.entry import Entry
from schemas.vocabulary import Cause, Kind
from tests.policy.rules import delivered, opened, soft
from tests.policy.test_order_of_arrival import any_log, policies
from tests.properties import examples
from tests.schemas.decisions import void
from tests.schemas.feedback_events import make_event
from worker.policy.annotations import annotations
from worker.policy.checkpoint import FACTS_SHAPE, Checkpoint, at_a_place, usable
from worker.policy.event_order import order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import fold, fold_all, in_order, pass_over
from worker.policy.late_fold import LateFold, changed_by, places_changed
from worker.policy.policy_file import recommended_policy
from worker.policy.provisional import without_late
from worker.policy.rule import Policy

POLICY = recommended_policy()
POLICY_ID = 7


def pages_of(log: Sequence[Entry], after: OrderKey | None, size: int) -> list[list[Entry]]:
    rest = [entry for entry in in_order(log) if after is None or order_key(entry) > after]
    return [rest[start : start + size] for start in range(0, len(rest), size)]


def checkpointed(log: Sequence[Entry], policy: Policy, every: int) -> list[Checkpoint]:
    """The checkpoints that a first pass over the log leaves."""
    folding = LateFold(policy=policy, policy_id=POLICY_ID, annotations=annotations(log), every=every)
    for page in pages_of(log, None, 5):
        assert not folding.feed(page)
    folding.finish(Facts())
    return folding.made


def places(log: Sequence[Entry], keys: frozenset[bytes]) -> list[OrderKey]:
    return [order_key(entry) for entry in log if entry.event_key in keys]


def late_folding(
    late: Sequence[Entry], log: Sequence[Entry], policy: Policy, checkpoints: Sequence[Checkpoint], **options: object
) -> LateFold:
    """As the caller makes it, who knows the annotations of the whole log and which entries have arrived."""
    whole = [*log, *late]
    before, after = annotations(log), annotations(whole)
    arrived = {entry.event_key for entry in whole}
    return LateFold(
        late,
        policy=policy,
        policy_id=POLICY_ID,
        checkpoints=checkpoints,
        annotations=after,
        changed=places(whole, changed_by(before, after)),
        awaited=after.named() - arrived,
        **options,  # type: ignore[arg-type]
    )


@settings(max_examples=examples(800))
@given(data=st.data(), whole=any_log, policy=policies)
def test_folding_late_entries_from_a_checkpoint_is_folding_all_anew(
    data: st.DataObject, whole: list[Entry], policy: Policy
) -> None:
    late = (
        data.draw(st.lists(st.sampled_from(whole), max_size=4, unique_by=lambda entry: entry.event_key))
        if whole
        else []
    )
    log = [entry for entry in whole if entry not in late]
    now = fold_all(Facts(), log, policy)
    checkpoints = checkpointed(log, policy, data.draw(st.integers(1, 6)))
    size = data.draw(st.integers(1, 7))
    stored = data.draw(st.sampled_from([log, whole]))  # the late ones may lie in the log already
    folding = late_folding(late, log, policy, checkpoints)
    for page in pages_of(stored, folding.after, size):
        if folding.feed(page):
            break
        if data.draw(st.booleans()) and (here := folding.here) is not None:
            folding, made = late_folding(late, log, policy, checkpoints, resume=here), folding.made
            folding.made = made
    facts = folding.finish(now)
    note(f"met: {folding.met}")
    assert facts == fold_all(Facts(), whole, policy)
    # The checkpoints that are left, with those made anew, are such that the next late entry can use them.
    remade = {one.key: one for one in [*checkpoints, *folding.made]}
    for one in remade.values():
        so_far = [entry for entry in in_order(whole) if order_key(entry) <= one.key]
        known, alone = annotations(whole), Facts()
        for entry in so_far:
            alone = fold(alone, entry, policy) if known.out(entry) is None else pass_over(alone, entry)
        assert one.facts == at_a_place(alone)


@settings(max_examples=examples(400))
@given(data=st.data(), whole=any_log, policy=policies)
def test_a_fold_of_the_whole_log_may_end_where_it_meets_a_checkpoint_of_the_log_without_what_came_late(
    data: st.DataObject, whole: list[Entry], policy: Policy
) -> None:
    assume(whole)
    late = data.draw(st.lists(st.sampled_from(whole), min_size=1, max_size=4, unique_by=lambda entry: entry.event_key))
    log = [entry for entry in whole if entry not in late]
    known = annotations(whole)
    affected = [*places_changed(late), *places(whole, changed_by(annotations(log), known))]
    assume(affected)
    awaited = tuple(sorted(known.named() - {entry.event_key for entry in whole}))
    now = replace(without_late(fold_all(Facts(), log, policy), late, policy), awaited=awaited)
    own = checkpointed(log, policy, data.draw(st.integers(1, 3)))

    def go_on(reached: Checkpoint | None) -> LateFold:
        return LateFold(
            policy=policy,
            policy_id=POLICY_ID,
            checkpoints=[one for one in own if reached is None or one.key > reached.key],
            annotations=known,
            awaited=awaited,
            resume=reached,
            last_late=max(affected),
        )

    folding = go_on(data.draw(st.sampled_from([None, *(one for one in own if one.key < min(affected))])))
    for page in pages_of(whole, folding.after, data.draw(st.integers(1, 5))):
        if folding.feed(page):
            break
        if data.draw(st.booleans()):
            folding = go_on(folding.here)
    facts = folding.finish(now)
    note(f"met: {folding.met}")
    assert facts == fold_all(Facts(), whole, policy)


def long_log() -> list[Entry]:
    """A year of daily deliveries, weekly opens and, in spring, a mailbox that is full for a while."""
    log: list[Entry] = [delivered(day) for day in range(365)]
    log += [opened(day + 0.5) for day in range(0, 365, 7)]
    log += [soft(day + 0.25) for day in (60, 64, 68)]
    return log


def read_for(late: Entry, *, every: int = 50) -> int:
    """How many entries are read until the facts meet a checkpoint again."""
    log = long_log()
    folding = late_folding([late], log, POLICY, checkpointed(log, POLICY, every))
    now = fold_all(Facts(), log, POLICY)
    for page in pages_of(log, folding.after, 20):
        if folding.feed(page):
            break
    assert folding.met
    assert folding.finish(now) == fold_all(Facts(), [*log, late], POLICY)
    assert at_a_place(folding.finish(now)) == at_a_place(now)
    return folding.folded


def test_a_late_delivery_or_open_meets_the_next_checkpoint() -> None:
    assert read_for(make_event(Kind.DELIVERED, day=100.1, message="late")) <= 51
    assert read_for(make_event(Kind.OPENED, day=100.1)) <= 51
    assert read_for(make_event(Kind.DELIVERED, day=62.1, message="late")) <= 101


def test_a_late_failure_that_deliveries_have_cleared_since_meets_a_checkpoint_soon() -> None:
    assert read_for(make_event(Kind.SOFT_BOUNCE, day=100.1, cause=Cause.MAILBOX_FULL, message="late")) <= 101


def test_a_late_block_is_folded_to_the_end() -> None:
    log = long_log()
    late = make_event(Kind.HARD_BOUNCE, day=300.1, cause=Cause.DOMAIN_ACCEPTS_NO_MAIL, message="late")
    folding = late_folding([late], log, POLICY, checkpointed(log, POLICY, 50))
    for page in pages_of(log, folding.after, 20):
        assert not folding.feed(page)
    assert folding.finish(fold_all(Facts(), log, POLICY)) == fold_all(Facts(), [*log, late], POLICY)
    assert folding.made
    assert folding.folded <= 1 + 50 + len([entry for entry in log if entry.occurred_at >= late.occurred_at])


def test_a_late_void_begins_before_what_it_names() -> None:
    log = long_log()
    voided = void(364.9, log[10])
    folding = late_folding([voided], log, POLICY, checkpointed(log, POLICY, 50))
    assert folding.after is None


def test_entries_that_come_in_meanwhile_are_kept_if_the_facts_are_met() -> None:
    log = long_log()
    late = make_event(Kind.OPENED, day=100.1)
    folding = late_folding([late], log, POLICY, checkpointed(log, POLICY, 50))
    for page in pages_of(log, folding.after, 20):
        if folding.feed(page):
            break
    meanwhile = fold_all(Facts(), [*log, delivered(400)], POLICY)
    assert folding.finish(meanwhile) == meanwhile


def test_checkpoints_of_another_policy_or_shape_are_not_used() -> None:
    log = long_log()
    ours = checkpointed(log, POLICY, 50)
    assert usable(ours, POLICY_ID) == ours
    assert usable(ours, POLICY_ID + 1) == []
    assert usable([replace(one, shape=FACTS_SHAPE + 1) for one in ours], POLICY_ID) == []


def test_facts_of_a_checkpoint_survive_storage() -> None:
    for one in checkpointed(long_log(), POLICY, 50):
        assert decode_facts(encode_facts(one.facts)) == one.facts


def shape_of(type_: type, seen: set[type]) -> list[str]:
    """The fields of a record, and of all records in it."""
    if type_ in seen:
        return []
    seen.add(type_)
    lines = []
    for field in msgspec.structs.fields(type_):
        lines.append(f"{type_.__name__}.{field.name}: {field.type}")
        for inner in records_in(field.type):
            lines += shape_of(inner, seen)
    return sorted(lines)


def records_in(annotation: object) -> list[type]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [record for part in getattr(annotation, "__args__", ()) for record in records_in(part)]


# A change of the facts' fields changes this number: then raise FACTS_SHAPE, or checkpoints of before would be met.
SHAPES = {1: "185ae4cf9e690335", 2: "4d2f5f6f442aa3c9"}


def test_each_shape_of_the_facts_has_a_number_of_its_own() -> None:
    digest = sha256("\n".join(shape_of(Facts, set())).encode()).hexdigest()[:16]
    assert SHAPES[FACTS_SHAPE] == digest


def test_the_time_between_two_checkpoints_is_counted_in_entries() -> None:
    assert len(checkpointed(long_log(), POLICY, 100)) == len(long_log()) // 100
