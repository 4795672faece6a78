"""The server that a session has come to: where it is, whether it takes writes, and who has copies of its commits."""

from msgspec import Struct

from worker.store.pool import Executor, store_errors

_STATE = """
    SELECT current_setting('server_version_num')::integer / 10000 AS version,
           coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'the local socket') AS place,
           pg_is_in_recovery() AS is_standby,
           current_setting('default_transaction_read_only') = 'on' AS is_read_only,
           current_setting('synchronous_standby_names') <> '' AS wants_synchronous,
           current_setting('synchronous_commit') IN ('on', 'remote_apply') AS waits_for_synchronous,
           (SELECT count(*) FROM pg_stat_replication) AS replicas,
           (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS synchronous_replicas,
           pg_has_role('pg_read_all_stats', 'usage') AS sees_replicas
"""


class ServerState(Struct, frozen=True, kw_only=True):
    """One server."""

    version: int  # the major version of Postgres: 18
    place: str  # its address and port, as the server knows them
    is_standby: bool
    is_read_only: bool  # whoever fences a former primary makes it so
    wants_synchronous: bool  # synchronous_standby_names is set: commits wait for a replica
    waits_for_synchronous: bool  # sessions do, by synchronous_commit
    replicas: int  # that are connected
    synchronous_replicas: int  # 0 too if sees_replicas is False
    sees_replicas: bool  # the user may see more of them than their number


async def server_state(executor: Executor) -> ServerState:
    """The server of one session. Raises StoreUnavailable."""
    with store_errors("asking the server for its state"):
        record = await executor.fetchrow(_STATE)
    if record is None:
        raise AssertionError("a SELECT without FROM gives one record")
    return ServerState(**record)
