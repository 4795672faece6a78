"""One locked contact: its facts do not change until the transaction ends."""

from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Blocks
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.policies import UNNUMBERED, Policies
from worker.contacts.refolding import facts_anew
from worker.policy.dimension import Standing
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.provisional import stricter_facts
from worker.policy.rule import Policy
from worker.policy.standing import standings
from worker.store.contact_rows import ContactKey, lock_contacts
from worker.store.pool import Connection


class KnownContact(Struct, frozen=True, kw_only=True):
    """A contact's facts under the policy in force."""

    id: int | None  # None: nothing is stored about it
    facts: Facts
    policy: Policy

    def forbidding(self, at: datetime) -> list[Standing]:
        """Everything that forbids mail to the contact, including the person's own wishes."""
        return [one for one in standings(self.facts, self.policy, at) if one.blocks is not Blocks.NONE]


async def locked_contact(connection: Connection, key: ContactKey, *, policies: Policies, now: datetime) -> KnownContact:
    """The contact, locked if it exists: events that arrive meanwhile wait."""
    row = (await lock_contacts(connection, [key])).get(key)
    if row is None:
        return KnownContact(id=None, facts=Facts(), policy=(await policies.active(connection)).policy)
    active = await policies.active(connection, known_id=row.policy_id or UNNUMBERED)
    anew = await facts_anew(connection, [row], active)
    provisional = (await provisional_facts(connection, [row.id])).get(row.id)
    facts = anew.get(row.id) or stricter_facts(facts_from_row(row), provisional, active.policy, now)
    return KnownContact(id=row.id, facts=facts, policy=active.policy)
