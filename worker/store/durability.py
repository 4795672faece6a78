"""What a transaction has only read is as safe as what it would have written.

With a synchronous replica a commit waits until the replica has it. If the caller gives up meanwhile, Postgres commits
on the primary alone, and others see it. A repeat then finds everything done and writes nothing, so its commit waits for
nobody: it would be answered although the loss of the primary takes it back.
"""

from worker.store.pool import Executor, store_errors

# A line in the log of Postgres that no table holds. Its commit waits as each other one, and all that was committed
# before is on the replica then.
_MARK = """
    SELECT pg_logical_emit_message(true, 'bouncekeeper', '')
     WHERE current_setting('synchronous_standby_names') <> ''
"""


async def secure_what_was_read(executor: Executor) -> None:
    """What was read before is safe once the transaction is committed; with a pool, once this returns.

    Raises StoreUnavailable.
    """
    with store_errors("waiting for the replica"):
        await executor.execute(_MARK)
