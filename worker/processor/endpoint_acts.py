"""What a person does to endpoints, the URLs at which applications receive status changes."""

from datetime import datetime

from worker.contacts.acts import record_act
from worker.process.logs import get_logger
from worker.store.endpoint_states import enable_endpoint, forget_endpoint
from worker.store.pool import Pool
from worker.store.sessions import transaction

_log = get_logger()


async def enable(
    pool: Pool, endpoint: str, *, actor: str, now: datetime, after_position: int | None = None, from_now: bool = False
) -> bool:
    """Sends to the endpoint again: from where it stopped, after a position of the feed, or from now on.

    False if no processor has met it yet. Raises StoreUnavailable.
    """
    begins = "now" if from_now else "where it stopped" if after_position is None else f"position {after_position}"
    async with transaction(pool, "enabling an endpoint") as connection:
        if not await enable_endpoint(connection, endpoint, after_position=after_position, from_now=from_now):
            return False
        act_id = await record_act(connection, f"endpoints enable {endpoint} from {begins}", actor=actor, now=now)
    _log.info("endpoint.enabled", endpoint=endpoint, begins=begins, actor=actor, act_id=act_id)
    return True


async def forget(pool: Pool, endpoint: str, *, actor: str, now: datetime) -> bool:
    """Removes the endpoint's place in the feed; False if it has none. Raises StoreUnavailable."""
    async with transaction(pool, "forgetting an endpoint") as connection:
        if not await forget_endpoint(connection, endpoint):
            return False
        act_id = await record_act(connection, f"endpoints forget {endpoint}", actor=actor, now=now)
    _log.info("endpoint.forgotten", endpoint=endpoint, actor=actor, act_id=act_id)
    return True
