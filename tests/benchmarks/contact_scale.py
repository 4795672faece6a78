"""What an event costs with ten million contacts, and with ten thousand.

The same processor, the same mix of events in the same batches, on two databases of one server that differ only in
how many contacts they hold; the server has memory for them, as one that serves so many would have. Events hit random
contacts that exist. Batches are committed one at a time: among ten thousand contacts neighbouring batches would share
some and wait for each other's locks, which would make the small database slow and us look good.
"""

from datetime import UTC, datetime, timedelta

import asyncpg

from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import sample_events
from tests.benchmarks.parcels import process_parcels, seconds_of, write_parcels
from tests.benchmarks.processor_throughput import prepare_months
from tests.benchmarks.servers import write_config
from worker.samples.sendgrid import SendGridSamples

_SMALL = 10_000
_SHARED_BUFFERS = "4GB"  # ten million contacts and their index take about three
_MICROSECONDS = 1_000_000
# The same addresses as tests.benchmarks.feedback.contact_address.
_FILL = """
    INSERT INTO contacts (account, channel, address, status, first_seen_at, last_delivered_at, last_delivered_message,
        latest_at, latest_key)
    SELECT 'default', 'email', 'person' || n || '@mail' || (n % 997) || '.example.com', 'active',
        $3::timestamptz, $3::timestamptz, 'earlier' || n, $3::timestamptz, decode(md5(n::text), 'hex')
      FROM generate_series($1::bigint, $2::bigint) AS n
"""
_ROWS_AT_ONCE = 1_000_000


async def measure(bench: Bench) -> Outcome:
    """Microseconds per event, each measured on databases that are warm."""
    await _set_memory(bench, _SHARED_BUFFERS)
    large = bench.size(10_000_000, 200_000)
    count = bench.size(40_000, 8_000)
    rounds = bench.rounds + 1  # the first one warms up
    sender = SendGridSamples()
    # Each run's events are later than all before them, as in life: none has to be folded anew.
    clock = [datetime.now(UTC) - timedelta(minutes=11 * (2 * rounds + 2))]
    earlier = clock[0] - timedelta(days=1)
    databases = {}
    for contacts in (_SMALL, large):
        bench.progress(f"contact scale: making {contacts:,} contacts")
        dsn = databases[contacts] = await bench.services.database(f"bench_contacts_{contacts}")
        await prepare_months(dsn, clock[0])
        await prepare_months(dsn, datetime.now(UTC))
        await _fill(dsn, contacts, earlier)

    def cost_of(contacts: int) -> "_Cost":
        return _Cost(bench, sender, databases[contacts], contacts=contacts, count=count, clock=clock)

    small_cost, large_cost = cost_of(_SMALL), cost_of(large)
    for cost in (small_cost, large_cost):
        await cost.measure()
    figures = await bench.in_turns(
        "contact scale",
        (f"{large:,} contacts", large_cost.measure),
        (f"{_SMALL:,} contacts", small_cost.measure),
        unit="µs/event",
    )
    await bench.services.drop_database(f"bench_contacts_{large}")
    await _set_memory(bench, None)
    return Outcome(
        measurements=[
            Measurement(
                what=f"cost of an event with {large:,} contacts",
                against=f"with {_SMALL:,}",
                unit="µs",
                ours=figures[0],
                baseline=figures[1],
                goal=Goal(at_most=1.3),
            )
        ]
    )


async def _set_memory(bench: Bench, shared_buffers: str | None) -> None:
    """The server runs with so much memory, or with what it had before."""
    postgres = await bench.services.postgres()
    connection = await asyncpg.connect(postgres.dsn_of("postgres"))
    try:
        value = "DEFAULT" if shared_buffers is None else f"'{shared_buffers}'"
        await connection.execute(f"ALTER SYSTEM SET shared_buffers = {value}")
    finally:
        await connection.close()
    await postgres.restart()


class _Cost:
    """The cost of an event in one database."""

    def __init__(
        self,
        bench: Bench,
        sender: SendGridSamples,
        dsn: str,
        *,
        contacts: int,
        count: int,
        clock: list[datetime],
    ) -> None:
        self._bench = bench
        self._sender = sender
        self._contacts = contacts
        self._count = count
        self._clock = clock
        self._runs = 0
        self._config = bench.folder / f"contacts_{contacts}.toml"
        write_config(
            self._config,
            sources=[sender.source("sendgrid")],
            postgres_url=dsn,
            queue_url="amqp://unused/",
            sections={"processor": {"batches_in_flight": 1}},
        )

    async def measure(self) -> float:
        """Microseconds per event of one run of new events."""
        self._runs += 1
        self._clock[0] += timedelta(minutes=11)
        now = self._clock[0]
        events = sample_events(self._count, seed=self._contacts + self._runs, contacts=self._contacts, now=now)
        parcels = write_parcels(self._bench.folder / "contacts.parcels", self._sender, events, received_at=now)
        stored = await process_parcels(self._bench.folder / "contacts.log", self._config, parcels)
        return seconds_of(stored) / self._count * _MICROSECONDS


async def _fill(dsn: str, contacts: int, earlier: datetime) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for start in range(0, contacts, _ROWS_AT_ONCE):
            until = min(start + _ROWS_AT_ONCE, contacts)
            await connection.execute(_FILL, start, until - 1, earlier)
        await connection.execute("VACUUM (FREEZE, ANALYZE) contacts")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
