"""The queue port on a Postgres table: the whole queue without a broker, the place for parked parcels with one.

To lend a parcel, the reader's id and the end of the lease are written into its row. A reader holds an advisory lock on
its id as long as its session lives, so the parcels of a dead reader are lent again at once, not only when their lease
ends. This does not work with PgBouncer in transaction mode, which does not keep such locks.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from typing import Self

import asyncpg

from schemas.lane import SHARED_LANE, Lane
from worker.errors import ImpossibleSetting, QueueUnavailable, SchemaOutOfDate, StopTheProcess
from worker.process.logs import Reminder, get_logger
from worker.process.postgres_url import place_of
from worker.queue import postgres_statements as statements
from worker.queue.fair_shares import BULK_WEIGHT, FairShares, InWork
from worker.queue.lent_bytes import MOST_LENT_BYTES, LentBytes
from worker.queue.port import Lease, Share
from worker.queue.postgres_session import COMMAND_TIMEOUT_SECONDS, CONNECT_TIMEOUT_SECONDS, queue_errors
from worker.queue.under_way import UnderWay
from worker.store.servers import Servers, open_pool_of_servers, takes_no_writes

_log = get_logger()

DEFAULT_LEASE_SECONDS = 60.0
_LOCK_CLASS = 0x626B  # first half of the advisory locks of readers; the second is the reader's id
_SHORTEST_POLL_SECONDS = 0.005
_LONGEST_POLL_SECONDS = 0.1
_RECLAIM_SECONDS = 1.0
_PROBE_SECONDS = 0.5
_ANY_BYTES = 2**62


class PostgresWriter:
    """A QueueWriter. At most as many puts are under way at once as there are connections."""

    def __init__(self, dsn: str, pool: "asyncpg.Pool[asyncpg.Record]", *, ends_when_refused: bool) -> None:
        self._dsn = dsn
        self._pool = pool
        self._ends_when_refused = ends_when_refused
        self._under_way = UnderWay()
        self._prober: asyncio.Task[None] | None = None
        self._reminder = Reminder()
        self._table_gone = False  # a backup is being restored, and a row of ours would disturb that

    @classmethod
    async def open(cls, dsn: str, *, connections: int = 4, ends_when_refused: bool = False) -> Self:
        """The writer. It connects at the first put, so Postgres may come later.

        With ends_when_refused a put raises ImpossibleSetting if Postgres refuses us. That is for commands: whoever
        typed one reads the message.
        """
        pool = open_pool_of_servers(
            dsn,
            min_size=0,
            max_size=connections,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            server_settings={
                "application_name": "bouncekeeper queue writer",
                "synchronous_commit": "on",  # whatever the server's default: a put that returned is on disk
            },
        )
        with queue_errors(dsn):
            await pool
        return cls(dsn, pool, ends_when_refused=ends_when_refused)

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        """Returns when the parcel is on disk. Raises QueueUnavailable, or SchemaOutOfDate if the table is missing.

        If Postgres refuses us, which a person must mend, that is logged, and tried again all the same: a receiver goes
        on with the broker, and vendors repeat what is answered 503. With ends_when_refused raises ImpossibleSetting.
        """
        if self._table_gone:
            raise QueueUnavailable(
                f"The queue in Postgres at {place_of(self._dsn)} waits for its table to be restored."
            )
        try:
            with self._under_way, queue_errors(self._dsn):
                async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):  # the wait for a connection included
                    await self._pool.execute(statements.PUT, lane.name, parcel)
        except ImpossibleSetting as error:
            if self._ends_when_refused:
                raise
            if self._reminder.due(str(error)):
                _log.error("postgres.rejected", reason=str(error))
            self._start_probing()
            raise QueueUnavailable(str(error)) from error
        except (QueueUnavailable, SchemaOutOfDate) as error:
            self._table_gone = isinstance(error, SchemaOutOfDate)
            self._start_probing()
            raise
        self._reminder.over()

    def available(self) -> bool:
        """False after a failed put, until Postgres answers again and lets us put."""
        return self._prober is None

    async def close(self) -> None:
        """Waits for the puts under way and closes the connections."""
        await self._under_way.nothing()
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)
        try:
            with queue_errors(self._dsn):
                async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
                    await self._pool.close()
        except QueueUnavailable:
            self._pool.terminate()

    def _start_probing(self) -> None:
        if self._prober is None and not self._pool.is_closing():
            self._prober = asyncio.create_task(self._probe(), name="postgres queue prober")

    async def _probe(self) -> None:
        while True:
            try:
                with queue_errors(self._dsn):
                    can_put: bool = await self._pool.fetchval(statements.CAN_PUT)
            except (QueueUnavailable, StopTheProcess):
                can_put = False
            if can_put:
                self._prober, self._table_gone = None, False
                self._reminder.over()
                return
            await asyncio.sleep(_PROBE_SECONDS)


class PostgresReader:
    """A QueueReader. It never gives up a parcel, however often it was lent."""

    def __init__(self, dsn: str, *, lease_seconds: float) -> None:
        self._dsn = dsn
        self._servers = Servers()
        self._lease_seconds = lease_seconds
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._reader_id = 0
        self._reclaimed_at = 0.0
        self._in_work = InWork()
        self._bytes = LentBytes()
        self._shares = FairShares()
        self._one_at_a_time = asyncio.Lock()  # a session runs one statement at a time

    @classmethod
    async def open(cls, dsn: str, *, lease_seconds: float = DEFAULT_LEASE_SECONDS) -> Self:
        """A reader of the parcels. A batch must be done within lease_seconds, or its parcels are lent again.

        Raises SchemaOutOfDate or ImpossibleSetting if a person must act.
        """
        reader = cls(dsn, lease_seconds=lease_seconds)
        try:
            await reader.depths()  # None while Postgres is away: each take tries again
        except BaseException:
            await reader.close()
            raise
        return reader

    async def take(
        self, *, max_parcels: int, max_wait_seconds: float, max_bytes: int | None = None, share: Share = Share.ANY
    ) -> list[Lease]:
        """Up to max_parcels, in turns from the lanes, as soon as there is one, or [] after max_wait_seconds."""
        deadline = time.monotonic() + max_wait_seconds
        poll_seconds = _SHORTEST_POLL_SECONDS
        while True:
            with queue_errors(self._dsn):
                async with self._one_at_a_time:
                    connection = await self._connected()
                    leases = await self._lend(connection, max_parcels, max_bytes or _ANY_BYTES, share)
                    if leases:
                        return leases
                    if time.monotonic() - self._reclaimed_at > _RECLAIM_SECONDS:
                        await self._reclaim(connection)
                        continue
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return []
            await asyncio.sleep(min(poll_seconds, remaining))
            poll_seconds = min(poll_seconds * 2, _LONGEST_POLL_SECONDS)

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Removes the parcels from the queue. If the acknowledgement is lost, they are lent once more."""
        await self._settle(statements.ACKNOWLEDGE, leases)

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Puts the parcels back to be lent again, with one lending more on their count."""
        await self._settle(statements.GIVE_BACK, leases, self._reader_id)

    async def suspend(self) -> None:
        """Gives back all that is lent; nothing is lent ahead here."""
        self._in_work.clear()
        self._bytes.clear()
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        with contextlib.suppress(QueueUnavailable), queue_errors(self._dsn):
            async with self._one_at_a_time:
                await connection.execute(statements.GIVE_ALL_BACK, self._reader_id)

    async def resume(self) -> None:
        """Goes on."""

    async def depths(self) -> Mapping[Lane, int] | None:
        """How many parcels of each lane wait; None while Postgres is away."""
        try:
            with queue_errors(self._dsn):
                async with self._one_at_a_time:
                    connection = await self._connected()
                    rows = await connection.fetch(statements.DEPTHS)
        except QueueUnavailable:
            return None
        return {Lane.of_name(row["lane"]): row["parcels"] for row in rows}

    async def depth(self) -> int | None:
        """How many parcels wait in all; None if that is unknown."""
        depths = await self.depths()
        return None if depths is None else sum(depths.values())

    async def close(self) -> None:
        """Gives back the lent parcels and closes the connection."""
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        # Parcels that cannot be given back become free when the session ends.
        try:
            with contextlib.suppress(QueueUnavailable, StopTheProcess), queue_errors(self._dsn):
                async with self._one_at_a_time:
                    await connection.execute(statements.GIVE_ALL_BACK, self._reader_id)
                    await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)
        finally:
            if not connection.is_closed():
                connection.terminate()

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is not None and not self._connection.is_closed():
            if self._reader_id and not takes_no_writes(self._connection):
                return self._connection
            self._connection.terminate()
        connection = await self._servers.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            server_settings={
                "application_name": "bouncekeeper queue reader",
                "enable_seqscan": "off",  # the planner believes that the table is still empty
                # A lease or an acknowledgement lost in a crash only means one more duplicate.
                "synchronous_commit": "off",
            },
        )
        self._connection = connection
        # A new id makes all leases of the lost session void.
        self._reader_id = 0
        self._in_work.clear()
        self._bytes.clear()
        while not self._reader_id:
            reader_id = random.randint(1, 2**31 - 1)  # noqa: S311 - no secret
            if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCK_CLASS, reader_id):
                self._reader_id = reader_id
        await self._reclaim(connection)
        return connection

    async def _lend(
        self, connection: "asyncpg.Connection[asyncpg.Record]", max_parcels: int, max_bytes: int, share: Share
    ) -> list[Lease]:
        ahead = self._shares.ahead()
        rows = await connection.fetch(
            *statements.TAKE(
                most_parcels=max_parcels,
                most_bytes=min(max_bytes, MOST_LENT_BYTES),
                most_bytes_of_one=self._bytes.largest_bytes,
                reader_id=self._reader_id,
                lease_seconds=self._lease_seconds,
                share=share.name.lower(),
                busy=[lane.name for lane in self._in_work.busy],
                ahead_lanes=[lane.name for lane in ahead],
                ahead_bytes=list(ahead.values()),
                bulk_weight=BULK_WEIGHT,
            )
        )
        leases = [
            Lease(
                tag=row["id"],
                parcel=row["parcel"],
                lane=Lane.of_name(row["lane"]),
                delivery_count=row["times_lent"] - 1,
            )
            for row in sorted(rows, key=_by_turn)
        ]
        for lease in leases:
            self._shares.serve(lease.lane, len(lease.parcel), in_turn=share is not Share.FIRST)
            self._in_work.add(lease, share)
            self._bytes.add(lease.tag, len(lease.parcel))
        return leases

    async def _reclaim(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Frees the parcels of readers whose sessions have ended."""
        self._reclaimed_at = time.monotonic()
        await connection.execute(statements.RECLAIM, _LOCK_CLASS)

    async def _settle(self, statement: str, leases: Sequence[Lease], *values: int) -> None:
        self._in_work.discard(leases)
        self._bytes.discard(lease.tag for lease in leases)
        connection = self._connection
        if not leases or connection is None or connection.is_closed():
            return
        # If the connection is lost, the leases are void, and `take` raises.
        with contextlib.suppress(QueueUnavailable), queue_errors(self._dsn):
            async with self._one_at_a_time:
                await connection.execute(statement, [lease.tag for lease in leases], *values)


def _by_turn(row: asyncpg.Record) -> tuple[float, str, int]:
    return row["turn"], row["lane"], row["id"]
