"""The policies in the database, as one process knows them, and how the configured policy becomes one of them."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from worker.contacts.acts import JOB, record_act
from worker.policy.policy_encoding import decode_policy, encode_policy
from worker.policy.rule import Policy
from worker.process.logs import get_logger
from worker.store.contact_marks import any_contact
from worker.store.jobs import cancel_open_jobs, insert_job, open_job_id
from worker.store.policies import (
    PolicyRow,
    activate_policy,
    active_policy_row,
    delete_pending_policy,
    insert_pending_policy,
    lock_policies,
    pending_policy_row,
    policy_rows,
)
from worker.store.pool import Connection, Executor, Pool
from worker.store.sessions import transaction

POLICY_JOB = "policy"
CONFIGURATION = "configuration"
# contacts.policy_id of contacts that were folded before policies had ids, or without a policy in the database.
UNNUMBERED = 0

_log = get_logger()
_REREAD_SECONDS = 5.0
# A process that does not know a new policy yet folds under the former one for at most this long.
KNOWN_EVERYWHERE_SECONDS = 3 * _REREAD_SECONDS


class NumberedPolicy(Struct, frozen=True, kw_only=True):
    """A policy and its id in the database."""

    id: int
    policy: Policy

    def has_folded(self, policy_id: int | None) -> bool:
        """True if a contact with this policy id has the facts that follow from this policy."""
        return policy_id is None or policy_id == self.id


class Policies:
    """Reads each policy once, and every few seconds which one is active."""

    def __init__(self, configured: Policy) -> None:
        """`configured` is in force while no policy is stored: before a processor first starts."""
        self._unnumbered = NumberedPolicy(id=UNNUMBERED, policy=configured)
        self._known: dict[int, NumberedPolicy] = {}
        self._active: NumberedPolicy | None = None
        self._read_at = float("-inf")

    async def active(self, executor: Executor, *, known_id: int = UNNUMBERED) -> NumberedPolicy:
        """The active policy as of a few seconds ago; as of now if that one is older than `known_id`.

        Raises StoreUnavailable.
        """
        active = self._active
        if active is None or active.id < known_id or time.monotonic() - self._read_at > _REREAD_SECONDS:
            row = await active_policy_row(executor)
            self._read_at = time.monotonic()
            if row is None:
                self._active = None
                return self._unnumbered
            known = self._known.get(row.id)
            # The meanings are compared: the text of an earlier version names fewer settings.
            if known is not None and known.policy != decode_policy(row.definition):
                self._known.clear()  # a backup was restored, and its ids are used again
            self._active = active = self._remember(row)
        return active

    async def of(self, executor: Executor, policy_id: int | None) -> NumberedPolicy:
        """The policy under which a contact with this policy id was folded. Raises StoreUnavailable."""
        return (await self.of_all(executor, [policy_id]))[policy_id]

    async def of_all(self, executor: Executor, policy_ids: Iterable[int | None]) -> Mapping[int | None, NumberedPolicy]:
        """The policies of several such ids."""
        ids = set(policy_ids)
        numbered = {one for one in ids if one is not None and one != UNNUMBERED}
        if missing := numbered - self._known.keys():
            for row in await policy_rows(executor, missing):
                self._remember(row)
        policies: dict[int | None, NumberedPolicy] = {one: self._known[one] for one in numbered}
        for one in ids - numbered:
            policies[one] = await self.active(executor)
        return policies

    def _remember(self, row: PolicyRow) -> NumberedPolicy:
        if row.id not in self._known:
            self._known[row.id] = NumberedPolicy(id=row.id, policy=decode_policy(row.definition))
        return self._known[row.id]


class PolicyState(Struct, frozen=True, kw_only=True):
    """Which policy is in force, and what happened to the configured one."""

    active: NumberedPolicy
    pending_id: int | None = None  # of the configured policy, if it differs
    applied: bool = False  # the configured policy has just become the active one
    job_id: int | None = None  # of the job that folds contacts again


async def configure_policy(pool: Pool, policy: Policy, *, now: datetime) -> PolicyState:
    """The configured policy becomes active if there was none; otherwise it is pending if it differs.

    Safe to run by several processes at once. Raises StoreUnavailable.
    """
    async with transaction(pool, "comparing the configuration's policy") as connection:
        row = await active_policy_row(connection)
        if row is not None and decode_policy(row.definition) == policy:
            pending = await pending_policy_row(connection)
            if pending is None:
                return PolicyState(active=NumberedPolicy(id=row.id, policy=policy))
        await lock_policies(connection)
        state, row = await _configure(connection, policy, now)
    if state.applied:
        _log_applied(state, row, CONFIGURATION)
    elif row is not None:
        _log.warning("policy.pending", policy_id=row.id, name=row.name, active_id=state.active.id)
    return state


async def apply_policy(
    pool: Pool, policy: Policy, *, now: datetime, by: str, first_account: str | None = None, again: bool = False
) -> PolicyState:
    """The policy is active, and a job folds again all contacts that were folded under another one.

    The job begins with `first_account`. For a policy that is active already there is a new job only with `again`, and
    only if none is under way: for contacts that an earlier job left out. Raises StoreUnavailable.
    """
    async with transaction(pool, "applying a policy") as connection:
        await lock_policies(connection)
        row = await active_policy_row(connection)
        if row is not None and decode_policy(row.definition) == policy:
            await delete_pending_policy(connection)
            active = NumberedPolicy(id=row.id, policy=policy)
            job_id = await open_job_id(connection, POLICY_JOB)
            if job_id is None and again:
                await record_act(connection, f"policy apply {row.id} {row.name}", actor=by, now=now)
                job_id = await _add_job(connection, row.id, now, by, first_account)
            return PolicyState(active=active, job_id=job_id)
        row = await _activate(connection, policy, now, by)
        act_id = await record_act(connection, f"policy apply {row.id} {row.name}", actor=by, now=now)
        job_id = await _add_job(connection, row.id, now, by, first_account)
        state = PolicyState(active=NumberedPolicy(id=row.id, policy=policy), applied=True, job_id=job_id)
    _log_applied(state, row, by, act_id=act_id)
    return state


async def _configure(connection: Connection, policy: Policy, now: datetime) -> tuple[PolicyState, PolicyRow | None]:
    """Called under the lock. The row is the new one, if there is one."""
    active = await active_policy_row(connection)
    if active is None:
        row = await _activate(connection, policy, now, CONFIGURATION)
        # Contacts of a former version were folded under the configuration of their time, which may have been another.
        some = await any_contact(connection)
        job_id = await _add_job(connection, row.id, now, CONFIGURATION, None) if some else None
        return PolicyState(active=NumberedPolicy(id=row.id, policy=policy), applied=True, job_id=job_id), row
    known = NumberedPolicy(id=active.id, policy=decode_policy(active.definition))
    pending = await pending_policy_row(connection)
    if known.policy == policy:
        await delete_pending_policy(connection)
        return PolicyState(active=known), None
    if pending is not None and decode_policy(pending.definition) == policy:
        return PolicyState(active=known, pending_id=pending.id), None
    await delete_pending_policy(connection)
    row = await insert_pending_policy(
        connection, name=policy.name, definition=encode_policy(policy), now=now, by=CONFIGURATION
    )
    return PolicyState(active=known, pending_id=row.id), row


async def _activate(connection: Connection, policy: Policy, now: datetime, by: str) -> PolicyRow:
    """Always makes a new row, so that ids grow; also for a policy that was active before."""
    await delete_pending_policy(connection)
    row = await insert_pending_policy(connection, name=policy.name, definition=encode_policy(policy), now=now, by=by)
    await activate_policy(connection, row.id, now=now, by=by)
    return row


async def _add_job(connection: Connection, policy_id: int, now: datetime, by: str, first_account: str | None) -> int:
    await cancel_open_jobs(connection, POLICY_JOB, by=f"policy {policy_id}")
    plan = {"policy_id": policy_id, **({"first_account": first_account} if first_account is not None else {})}
    act_id = await record_act(
        connection, f"fold contacts again under policy {policy_id}", actor=by, now=now, what=JOB, goes_on=True
    )
    return await insert_job(connection, POLICY_JOB, plan, now=now, by=by, act_id=act_id)


def _log_applied(state: PolicyState, row: PolicyRow | None, actor: str, *, act_id: int | None = None) -> None:
    name = row.name if row is not None else state.active.policy.name
    _log.info("policy.applied", policy_id=state.active.id, name=name, actor=actor, act_id=act_id, job_id=state.job_id)
