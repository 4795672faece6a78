"""Acts without decisions about contacts: each is a row of `acts`, written in the transaction that does the work.

The actor can read the configuration, or is the configuration itself, and so may do everything.
"""

from datetime import datetime

from schemas.decision import Role
from worker.contacts.act_start import store_act
from worker.store.acts import Act, finish_act
from worker.store.pool import Connection

COMMAND, JOB = "command", "job"


async def record_act(
    connection: Connection,
    subject: str,
    *,
    actor: str,
    now: datetime,
    what: str = COMMAND,
    account: str | None = None,
    note: str | None = None,
    goes_on: bool = False,
) -> int:
    """Returns the act's id. `subject` is what is done to what: "endpoints enable crm"; `note` is the actor's reason.

    The act ends with this transaction, unless it `goes_on`: then finish_act records its end.
    """
    act = Act(
        account=account,
        token_id=None,
        token_name=None,
        actor=actor,
        role=Role.ADMINISTRATOR.value,
        what=what,
        idempotency_key=None,
        request_hash=None,
        note=note,
        proof=None,
        subject=subject,
        at=now,
    )
    act_id = await store_act(connection, act)
    if not goes_on:
        await finish_act(connection, act_id, at=now)
    return act_id
