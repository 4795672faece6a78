"""Predicts the effect of a policy: folds every contact that it may concern, and writes nothing."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Blocks
from worker.contacts.policies import Policies
from worker.contacts.refolding import facts_under
from worker.policy.dimension import WIDTH, Standing
from worker.policy.facts_encoding import facts_from_row
from worker.policy.rule import Policy
from worker.policy.standing import standing
from worker.store.contact_marks import contact_id_range, contacts_with_ordered_entries
from worker.store.contact_rows import ContactRow
from worker.store.pool import Pool
from worker.store.sessions import snapshot

_AT_ONCE = 500
_IDS_AT_ONCE = 20_000
_SAMPLES = 5  # of each rule
_SHOWN_DOMAINS = 20
_MOST_DOMAINS = 50_000  # at a time; beyond that, domains with few contacts are forgotten
_WITHOUT_RULE = "no rule"  # opt-outs and complaints


class Sample(Struct, frozen=True, kw_only=True):
    """One contact that would change."""

    contact_id: int
    account: str
    address: str
    old_status: str
    new_status: str


class Group(Struct, kw_only=True):
    """Contacts that one rule would block or free."""

    contacts: int = 0
    samples: list[Sample] = []


class Direction(Struct, kw_only=True):
    """Contacts for whom more mail would be forbidden, or contacts for whom less would."""

    contacts: int = 0
    by_rule: dict[str, Group] = {}
    by_domain: dict[str, int] = {}  # the domains with most contacts


class Foresight(Struct, kw_only=True):
    """What would change if the policy were applied now."""

    policy: str
    account: str | None
    looked_at: int = 0  # contacts to which a policy matters
    blocked: Direction
    freed: Direction
    otherwise: int = 0  # another status, or another end of it, with the same mail forbidden


async def foresee(
    pool: Pool,
    policy: Policy,
    policies: Policies,
    *,
    now: datetime,
    account: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Foresight:
    """Compares each contact's standing with the one it would have; in all accounts, or in one.

    Reads some contacts at a time, each with its entries as of one moment, and locks nothing.
    Raises StoreUnavailable.
    """
    foresight = Foresight(policy=policy.name, account=account, blocked=Direction(), freed=Direction())
    domains = {"blocked": Counter[str](), "freed": Counter[str]()}
    ids = await contact_id_range(pool)
    if ids is None:
        return foresight
    lowest, highest = ids
    place = lowest
    while place <= highest:
        last = min(highest, place + _IDS_AT_ONCE - 1)
        async with snapshot(pool, "folding contacts under another policy") as connection:
            rows = await contacts_with_ordered_entries(
                connection, first=place, last=last, account=account, limit=_AT_ONCE
            )
            former = await policies.of_all(connection, {row.policy_id for row in rows})
            facts = await facts_under(connection, rows, policy) if rows else {}
        for row in rows:
            old = standing(facts_from_row(row), former[row.policy_id].policy, now)
            _count(foresight, domains, row, old, standing(facts[row.id], policy, now))
        foresight.looked_at += len(rows)
        place = rows[-1].id + 1 if len(rows) == _AT_ONCE else last + 1
        if progress is not None:
            progress(place - lowest, highest - lowest + 1)
    for direction, counts in ((foresight.blocked, domains["blocked"]), (foresight.freed, domains["freed"])):
        direction.by_domain = dict(counts.most_common(_SHOWN_DOMAINS))
        direction.by_rule = dict(sorted(direction.by_rule.items(), key=lambda one: (-one[1].contacts, one[0])))
    return foresight


def _count(
    foresight: Foresight, domains: dict[str, Counter[str]], row: ContactRow, old: Standing, new: Standing
) -> None:
    if WIDTH[new.blocks] > WIDTH[old.blocks]:
        name, direction, rule = "blocked", foresight.blocked, new.rule
    elif WIDTH[new.blocks] < WIDTH[old.blocks]:
        name, direction, rule = "freed", foresight.freed, old.rule
    else:
        foresight.otherwise += (old.status, old.until) != (new.status, new.until) and (
            new.blocks is not Blocks.NONE or old.status != new.status
        )
        return
    direction.contacts += 1
    group = direction.by_rule.setdefault(rule or _WITHOUT_RULE, Group())
    group.contacts += 1
    if len(group.samples) < _SAMPLES:
        group.samples.append(
            Sample(
                contact_id=row.id,
                account=row.account,
                address=row.address,
                old_status=old.status,
                new_status=new.status,
            )
        )
    counts = domains[name]
    counts[row.address.rpartition("@")[2] if "@" in row.address else row.channel] += 1
    if len(counts) > _MOST_DOMAINS:
        domains[name] = Counter(dict(counts.most_common(_MOST_DOMAINS // 2)))
