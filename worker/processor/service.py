"""The processor: it consumes both queues and does the housekeeping."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version

from schemas.lane import Lane
from schemas.raw_keeping import KeepRaw
from worker.contacts.accounts import KnownAccounts, make_configured_accounts
from worker.contacts.applying import BatchRules
from worker.contacts.policies import Policies, configure_policy
from worker.contacts.respelling import respell_contacts
from worker.contacts.retention import drop_old_months, drop_old_raw, drop_old_recipients, make_months_ahead, oldest_kept
from worker.contacts.sweep import sweep
from worker.errors import StoreUnavailable, TryAgainLater
from worker.process import metrics
from worker.process.backlog import Backlog
from worker.process.backoff import Backoff
from worker.process.logs import get_logger
from worker.process.pause import pause
from worker.processor.batch import BatchWriter
from worker.processor.consumer import Consumer
from worker.processor.dead_mover import move_dead_parcels
from worker.processor.endpoint_client import EndpointClient
from worker.processor.lanes import keep_lanes, lanes_of
from worker.processor.life_signs import LifeSigns
from worker.processor.probe_server import serving_probes
from worker.processor.relay import Relay
from worker.processor.schema_watch import work_while_schema_lasts
from worker.processor.sending_counts import sending_counts
from worker.processor.trial_room import TrialRoom
from worker.processor.trials import Trials
from worker.processor.webhooks_out import EndpointSender
from worker.providers.bound_sources import BoundSources
from worker.providers.classification.operator_rules import use_operator_rules
from worker.providers.registry import PROVIDERS
from worker.queue.opening import open_queues
from worker.queue.port import LaneReader, QueueReader
from worker.settings.tree import Settings
from worker.store.availability import watch_store
from worker.store.delivery_traces import forget_traces
from worker.store.endpoint_states import follower_name
from worker.store.feed_followers import EXCHANGE, ensure_follower
from worker.store.held_rights import HeldRights
from worker.store.known_keys import former_keys_until
from worker.store.migrations import require_current_schema
from worker.store.parcel_attempts import forget_attempts
from worker.store.pool import Pool, WriterPool
from worker.store.server_history import ServerHistory
from worker.store.turns import Turns
from worker.store.writer_pool import ONE_PLAN, open_writer_pool

_log = get_logger()

_LONGEST_WAIT_SECONDS = 10.0
_HOUSEKEEPING_SECONDS = 3600.0
_DEPTH_SECONDS = 5.0
_LANES_SECONDS = 30.0
_COUNTS_SECONDS = 60.0

# Batches make tens of thousands of small objects and no cycles. If the garbage collector ran as often as by default, it
# would take a tenth of the time.
GARBAGE_THRESHOLDS = (50_000, 20, 100)


async def run_processor(settings: Settings, stop: asyncio.Event, backlog: Backlog | None = None) -> None:
    """Works until `stop` is set, then finishes the batches under way.

    Waits if Postgres or RabbitMQ is away, or if tables or rights vanish. Raises StopTheProcess if a person must act.
    Keeps `backlog` up to date for other parts of the process.
    """
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    use_operator_rules(settings.classification)
    await _schema(settings, stop)
    dsn = settings.postgres.url.reveal()
    rights = HeldRights(dsn)
    await work_while_schema_lasts(dsn, lambda: _work(settings, stop, backlog, rights), stop, rights)


async def _work(settings: Settings, stop: asyncio.Event, backlog: Backlog | None, rights: HeldRights) -> None:
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(processor_pool(settings))
        await configure_policy(pool, settings.policy, now=datetime.now(UTC))
        policies = Policies(settings.policy)
        await make_configured_accounts(
            pool, of_sources=settings.source_accounts, of_settings=settings.api.accounts, now=datetime.now(UTC)
        )
        accounts = KnownAccounts(of_sources=settings.source_accounts, of_settings=settings.api.accounts)
        writer = BatchWriter(pool, await batch_rules(pool, settings, policies), stop, accounts=accounts)
        turns = Turns(settings.postgres.url.reveal())
        stack.push_async_callback(turns.close)
        await _prepare_tables(pool, settings)
        queues = await open_queues(settings, stack)
        address = await stack.enter_async_context(serving_probes(settings.processor, pool, queues.readers))
        served = {"address": address} if address else {}
        _log.info("process.started", role="processor", version=version("bouncekeeper"), **served)
        large_parcels, room = asyncio.Semaphore(1), TrialRoom()
        sources = BoundSources(settings.sources)
        waiting: dict[str, int | None] = dict.fromkeys(queues.readers)
        gauges = {name: depth_gauge(name, reader, backlog, waiting) for name, reader in queues.readers.items()}
        signs = await _first_sign(LifeSigns(pool, waiting), gauges.values())
        await rights.note(pool)
        relay_seconds = settings.processor.relay_every_seconds
        async with asyncio.TaskGroup() as tasks:
            intake = []
            for name, reader in queues.readers.items():
                consumer = Consumer(
                    name=name,
                    reader=reader,
                    writer=writer,
                    trials=Trials(pool),
                    room=room,
                    sources=sources,
                    settings=settings.processor,
                    large_parcels=large_parcels,
                )
                intake.append(tasks.create_task(consumer.run(stop)))
                tasks.create_task(_every(_DEPTH_SECONDS, stop, "depth", gauges[name]))
            for lane_reader in queues.lane_readers:
                own = lanes_of(settings.sources, PROVIDERS)
                tasks.create_task(_every(_LANES_SECONDS, stop, "lanes", partial(_keep_lanes, pool, lane_reader, own)))
            tasks.create_task(turns.keep(stop))
            tasks.create_task(watch_store(pool, stop, role="processor", writes=True))
            intake += [tasks.create_task(move_dead_parcels(pool, reader, stop)) for reader in queues.dead_readers]
            tasks.create_task(signs.keep(intake))
            if queues.publisher is not None:
                tasks.create_task(Relay(pool, turns, queues.publisher).run(every_seconds=relay_seconds, stop=stop))
            for sender in await _endpoint_senders(settings, pool, turns, stack):
                tasks.create_task(sender.run(every_seconds=relay_seconds, stop=stop))

            async def keep_house() -> None:
                await _make_months_ahead(pool, settings)
                writer.rules = await batch_rules(
                    pool, settings, policies
                )  # what counts as old moves on with the calendar
                months = settings.processor.retention_months
                await drop_old_months(pool, now=datetime.now(UTC), retention_months=months)
                await drop_old_raw(pool, now=datetime.now(UTC), days=settings.processor.keep_raw_days)
                await drop_old_recipients(pool, now=datetime.now(UTC), days=settings.processor.keep_recipients_days)
                await respell_contacts(pool, policies)  # what an earlier processor stored during an upgrade
                await _forget_notes(pool)

            tasks.create_task(
                _every(settings.processor.sweep_every_seconds, stop, "sweep", partial(sweep, pool, policies))
            )
            tasks.create_task(_every(_COUNTS_SECONDS, stop, "counts", _report_counts))
            tasks.create_task(_every(_HOUSEKEEPING_SECONDS, stop, "housekeeping", keep_house))
    sending_counts().report()
    _log.info("process.stopped", role="processor", seconds=round(time.monotonic() - started, 3))


async def _first_sign(signs: LifeSigns, gauges: Iterable[Callable[[], Awaitable[None]]]) -> LifeSigns:
    """Notes that the processor lives, and what waits, so that a board knows of it before it has done anything."""
    for measure in gauges:
        with suppress(TryAgainLater):
            await measure()
    await signs.note()
    return signs


async def _schema(settings: Settings, stop: asyncio.Event) -> None:
    """Waits until Postgres answers; raises SchemaOutOfDate if it is not migrated."""
    backoff = Backoff(first_seconds=0.2, longest_seconds=_LONGEST_WAIT_SECONDS)
    while not stop.is_set():
        try:
            await require_current_schema(settings.postgres.url.reveal())
        except StoreUnavailable as error:
            _log.warning("task.failed", task="start", reason=str(error), wait_seconds=backoff.seconds)
            await backoff.wait(stop)
        else:
            return


@asynccontextmanager
async def processor_pool(settings: Settings) -> AsyncIterator[WriterPool]:
    """The connections for batches, open inside the block. Raises StoreUnavailable and ImpossibleSetting."""
    pool = await open_writer_pool(
        settings.postgres.url.reveal(),
        connections=settings.postgres.pool_connections,
        command_timeout_seconds=settings.postgres.command_timeout_seconds,
        application_name="bouncekeeper processor",
        server_settings=ONE_PLAN,
        history=ServerHistory(),  # batches remember the ids of words and campaigns
    )
    try:
        yield pool
    finally:
        await pool.close()


async def batch_rules(pool: Pool, settings: Settings, policies: Policies) -> BatchRules:
    """The rules for every batch of today. Raises StoreUnavailable."""
    return BatchRules(
        policies=policies,
        oldest_kept=oldest_kept(datetime.now(UTC), settings.processor.retention_months),
        former_keys_until=await former_keys_until(pool),
        keep_raw=KeepRaw(settings.processor.keep_raw),
    )


async def _forget_notes(pool: Pool) -> None:
    """Deletes what processors note for each other, where nobody needs it any more."""
    await forget_attempts(pool, now=datetime.now(UTC))
    await forget_traces(pool, now=datetime.now(UTC))


async def _report_counts() -> None:
    sending_counts().report()


async def _prepare_tables(pool: Pool, settings: Settings) -> None:
    """The months that come next, and the followers, which receive every status change."""
    await _make_months_ahead(pool, settings)
    exchange = [EXCHANGE] if settings.queue.adapter == "rabbitmq" else []
    for follower in [*exchange, *(follower_name(endpoint.name) for endpoint in settings.endpoints)]:
        await ensure_follower(pool, follower)


async def _endpoint_senders(
    settings: Settings, pool: Pool, turns: Turns, stack: AsyncExitStack
) -> list[EndpointSender]:
    if not settings.endpoints:
        return []
    client = await stack.enter_async_context(EndpointClient())
    give_up_after = timedelta(days=settings.processor.endpoints_give_up_days)
    return [
        EndpointSender(endpoint, pool=pool, turns=turns, client=client, give_up_after=give_up_after)
        for endpoint in settings.endpoints
    ]


async def _make_months_ahead(pool: Pool, settings: Settings) -> None:
    await make_months_ahead(pool, now=datetime.now(UTC), ahead=settings.processor.partitions_ahead_months)


async def _keep_lanes(pool: Pool, reader: LaneReader, own: list[Lane]) -> None:
    await keep_lanes(pool, reader, own, now=datetime.now(UTC))


def depth_gauge(
    name: str, reader: QueueReader, backlog: Backlog | None, waiting: dict[str, int | None]
) -> Callable[[], Awaitable[None]]:
    """Measures the queue `name`.

    All gauges of a process share `waiting`: the parcels in each queue, None if that is unknown.
    """
    lanes: set[Lane] = set()

    async def measure() -> None:
        depths = await reader.depths()
        if depths is None:
            waiting[name] = None
            return
        lanes.update(depths)
        for lane in lanes:  # a lane that is empty may be left out
            work = "bulk" if lane.bulk else "live"
            metrics.LANE_DEPTH_PARCELS.labels(name, lane.source, work).set(depths.get(lane, 0))
        waiting[name] = parcels = sum(depths.values())
        metrics.QUEUE_DEPTH_PARCELS.labels(name).set(parcels)
        if all(known == 0 for known in waiting.values()):
            # Otherwise the age of the last batch of a backlog would stay until the next webhook comes.
            metrics.OLDEST_AGE_SECONDS.set(0)
        if backlog is not None:
            backlog.measured(name, sum(depths[lane] for lane in depths if not lane.bulk))

    return measure


async def _every(seconds: float, stop: asyncio.Event, task: str, work: Callable[[], Awaitable[object]]) -> None:
    """Does the work at intervals. Logs an error that passes by itself, and tries again."""
    while not stop.is_set():
        try:
            await work()
        except TryAgainLater as error:
            _log.warning("task.failed", task=task, reason=str(error), wait_seconds=seconds)
        await pause(stop, seconds)
