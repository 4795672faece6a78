"""What came in by each account and source, counted here and noted in the database every few seconds."""

from collections.abc import Collection, Iterable
from uuid import UUID

from schemas.envelope import Envelope
from worker.processor.parsing import ParsedDelivery
from worker.store.dead_letters import SetAsideDelivery
from worker.store.intake import ALL_ACCOUNTS, Intake, note_intake
from worker.store.pool import Pool

# Where events name their accounts, there can be many. What is beyond is not counted until these are noted, except for
# all accounts together: sources are few.
_MOST_KEYS = 10_000

Counted = set[tuple[UUID, str]]  # webhooks that come in pieces, each with an account for which it is counted


class IntakeCounts:
    """Of one process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Intake] = {}

    def add(
        self,
        deliveries: Iterable[ParsedDelivery],
        set_aside: Collection[SetAsideDelivery] = (),
        *,
        counted: Counted | None = None,
    ) -> None:
        """Counts webhooks that are stored: once for each account that their events name, and once for all accounts.

        What is set aside, whole or in part, counts for the account of its source. Whoever stores a webhook in parts
        hands the same `counted` over with each part. A webhook that comes again counts again.
        """
        counted = set() if counted is None else counted
        in_pieces = {aside.webhook_id for aside in set_aside}
        for delivery in deliveries:
            envelope = delivery.envelope
            accounts = {ALL_ACCOUNTS, *({event.account for event in delivery.events} or {envelope.account})}
            if delivery.is_part or envelope.delivery_id in in_pieces:
                accounts = _count_once(accounts, envelope.delivery_id, counted)
            self._count(envelope, accounts)
        for aside in set_aside:
            if aside.envelope.source:  # bytes that could not be read as an envelope have none
                accounts = {ALL_ACCOUNTS, aside.envelope.account}
                self._count(aside.envelope, _count_once(accounts, aside.webhook_id, counted))

    def _count(self, envelope: Envelope, accounts: Iterable[str]) -> None:
        for account in accounts:
            key = (account, envelope.source)
            former = self._counts.get(key)
            if former is None and account != ALL_ACCOUNTS and len(self._counts) >= _MOST_KEYS:
                continue
            one = Intake(webhooks=1, last_received_at=envelope.received_at)
            self._counts[key] = one if former is None else _sum(former, one)

    async def note(self, pool: Pool) -> None:
        """Notes what was counted since the last call. Raises StoreUnavailable; it is kept then, and noted later."""
        counts, self._counts = self._counts, {}
        try:
            await note_intake(pool, counts)
        except BaseException:
            for key, former in self._counts.items():
                noted = counts.get(key)
                counts[key] = former if noted is None else _sum(noted, former)
            self._counts = counts
            raise


def _count_once(accounts: set[str], webhook_id: UUID, counted: Counted) -> set[str]:
    """Adds the webhook to `counted` for each account; returns the accounts for which it was not there yet."""
    first_time = {account for account in accounts if (webhook_id, account) not in counted}
    counted.update((webhook_id, account) for account in first_time)
    return first_time


def _sum(first: Intake, second: Intake) -> Intake:
    return Intake(
        webhooks=first.webhooks + second.webhooks,
        last_received_at=max(first.last_received_at, second.last_received_at),
    )


_counts = IntakeCounts()


def intake_counts() -> IntakeCounts:
    """Those of this process."""
    return _counts
