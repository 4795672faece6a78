"""The contacts of a batch whose long logs are being folded again in the background, or soon will be."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from worker.contacts.batch_terms import BatchContact, BatchRules
from worker.contacts.late_entries import LateResult, LongLog, fold_late_entries
from worker.contacts.open_refolds import OpenRefold, new_refold, open_refolds
from worker.contacts.policies import UNNUMBERED, NumberedPolicy
from worker.contacts.refolding import is_overtaken
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.store.checkpoints import long_logs
from worker.store.contact_rows import FormerBase, LockedContact
from worker.store.pool import Connection


class BatchRefolds:
    """The re-folds of locked contacts, all of them under the active policy."""

    def __init__(self, connection: Connection, rules: BatchRules, now: datetime) -> None:
        self._connection, self._rules, self._now = connection, rules, now
        self._active: NumberedPolicy
        self._refolds: dict[int, OpenRefold] = {}
        self._under_way: frozenset[int] = frozenset()

    async def read(self, rows: Iterable[LockedContact]) -> NumberedPolicy:
        """The active policy, after reading which of the contacts are being folded again."""
        rows = list(rows)
        refolds = await open_refolds(self._connection, [row.id for row in rows])
        # Another process may know a later policy already.
        marks = [*(row.policy_id for row in rows), *(one.policy_id for one in refolds.values())]
        known_id = max((mark or UNNUMBERED for mark in marks), default=UNNUMBERED)
        self._active = active = await self._rules.policies.active(self._connection, known_id=known_id)
        self._refolds = {contact_id: one.under(active) for contact_id, one in refolds.items()}
        self._under_way = frozenset(refolds)
        return active

    def of(self, contact_id: int) -> OpenRefold | None:
        """The contact's re-fold; None if it is not being folded again."""
        return self._refolds.get(contact_id)

    def provisional(self, contact_id: int) -> Facts | None:
        """The provisional facts, which count beside the contact's own."""
        refold = self._refolds.get(contact_id)
        return None if refold is None else refold.provisional

    def is_new(self, refold: OpenRefold) -> bool:
        """True if this batch began the re-fold."""
        return refold.contact_id not in self._under_way

    async def leave_giants(self, contacts: Iterable[BatchContact]) -> list[BatchContact]:
        """Leaves contacts that were folded under a former policy to the background if their logs are long.

        They stay under the former policy until the background has folded them. Returns the other contacts, which the
        batch folds again.
        """
        overtaken = [one for one in contacts if one.entries and is_overtaken(one.row, self._active)]
        if not overtaken:
            return []
        long = await self._long([one.row.id for one in overtaken])
        giants = [contact for contact in overtaken if contact.row.id in long]
        former = await self._rules.policies.of_all(self._connection, {contact.row.policy_id for contact in giants})
        for contact in giants:
            mark = contact.row.policy_id
            contact.policy = NumberedPolicy(id=mark or UNNUMBERED, policy=former[mark].policy)
            self._refolds.setdefault(contact.row.id, new_refold(contact.row.id, self._active, self._now))
        return [contact for contact in overtaken if contact.row.id not in long]

    async def fold_long_logs(
        self, contacts: Sequence[BatchContact], bases: Mapping[int, FormerBase]
    ) -> Mapping[int, LateResult]:
        """The results for the contacts with long logs; some of their entries came late.

        Contacts of a former policy are not among them: `leave_giants` has left those with long logs.
        """
        contacts = [one for one in contacts if not is_overtaken(one.row, one.policy)]
        long = await self._long([one.row.id for one in contacts])
        logs = [
            LongLog(
                contact_id=contact.row.id,
                facts=facts_from_row(contact.row),
                entries=contact.entries,
                of_row=contact.policy,
                base=bases[contact.row.id],
                refold=self._refolds.get(contact.row.id),
            )
            for contact in contacts
            if contact.row.id in long
        ]
        return await fold_late_entries(self._connection, logs, reading=self._rules.reading, now=self._now)

    async def _long(self, contact_ids: Iterable[int]) -> set[int]:
        """The contacts with long logs, and those that are being folded again."""
        unknown = [contact_id for contact_id in contact_ids if contact_id not in self._refolds]
        return await long_logs(self._connection, unknown, most=self._rules.reading.long) | self._refolds.keys()
