"""What was answered 2xx and is not in effect: where a server was lost that alone had it."""

from collections.abc import Collection, Mapping, Sequence

import asyncpg
from msgspec import Struct

from tests.faults.deciders import Answer
from tests.faults.decision_workload import DecisionCall
from tests.faults.workload import Webhook


class Loss(Struct, frozen=True, kw_only=True):
    """Numbers of webhooks and of calls."""

    webhooks: set[int]  # of which some event is missing
    clicks: set[int]  # one-click unsubscribes
    calls: set[int]  # decisions

    def __bool__(self) -> bool:
        return bool(self.webhooks or self.clicks or self.calls)


async def count_loss(
    dsn: str,
    webhooks: Sequence[Webhook],
    accepted: Collection[int],
    calls: Sequence[DecisionCall],
    answers: Mapping[int, Sequence[Answer]],
) -> Loss:
    """Compares what was answered with what is stored."""
    connection = await asyncpg.connect(dsn)
    try:
        keys = {key for (key,) in await connection.fetch("SELECT entry_key FROM log")}
        clicked = {message for (message,) in await connection.fetch("SELECT message_id FROM log")}
        acts = await connection.fetch("SELECT idempotency_key FROM acts WHERE finished_at IS NOT NULL")
    finally:
        await connection.close()
    finished = {key for (key,) in acts}
    return Loss(
        webhooks={
            number for number in accepted if any(event.event_key not in keys for event in webhooks[number].events)
        },
        clicks={
            number
            for number in accepted
            if (click := webhooks[number].click) is not None and click.message_id not in clicked
        },
        calls={number for number in answers if calls[number].key not in finished},
    )
