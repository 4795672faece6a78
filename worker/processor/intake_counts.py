"""What came in by each account and source, counted here and noted in the database every few seconds."""

from collections.abc import Iterable

from worker.processor.parsing import ParsedDelivery
from worker.store.intake import Intake, note_intake
from worker.store.pool import Pool

# Where events name their accounts, there can be many. What is beyond is not counted until these are noted.
_MOST_KEYS = 10_000


class IntakeCounts:
    """Of one process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Intake] = {}

    def add(self, deliveries: Iterable[ParsedDelivery]) -> None:
        """Counts webhooks that are stored. One that is stored in several loads counts in each of them."""
        before = None
        for delivery in deliveries:
            envelope = delivery.envelope
            if delivery.is_part and envelope.delivery_id == before:
                continue
            before = envelope.delivery_id
            accounts = {event.account for event in delivery.events} or {envelope.account}
            for account in accounts:
                key = (account, envelope.source)
                former = self._counts.get(key)
                if former is None:
                    if len(self._counts) < _MOST_KEYS:
                        self._counts[key] = Intake(webhooks=1, last_received_at=envelope.received_at)
                else:
                    self._counts[key] = Intake(
                        webhooks=former.webhooks + 1,
                        last_received_at=max(former.last_received_at, envelope.received_at),
                    )

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


def _sum(first: Intake, second: Intake) -> Intake:
    return Intake(
        webhooks=first.webhooks + second.webhooks,
        last_received_at=max(first.last_received_at, second.last_received_at),
    )


_counts = IntakeCounts()


def intake_counts() -> IntakeCounts:
    """Those of this process."""
    return _counts
