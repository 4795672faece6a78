"""What happens now, as the database knows it: for a board. It writes nothing, and no whole address is in it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from schemas.address import mask_address
from schemas.log_events import LOG_EVENTS
from worker.store.dead_letters import newest_dead_letters
from worker.store.endpoint_states import endpoint_troubles
from worker.store.intake import ProcessorSigns, SourceIntake, read_intake, read_signs
from worker.store.pool import Connection, Pool
from worker.store.report_counts import Span, count_providers, count_statuses, limited_statements
from worker.store.sessions import snapshot, transaction_time
from worker.store.status_feed import latest_changes

WINDOW = timedelta(minutes=10)
TIMEOUT_SECONDS = 5.0
NO_PROCESSOR = "processor.none"
UNMEASURED = "queue.unmeasured"
_OPEN_END = datetime.max.replace(tzinfo=UTC)
_TOP = 6
_MOST_CHANGES = 8
_MOST_LETTERS = 1_000
_DOING = f"counting for the overview, with {TIMEOUT_SECONDS:g} s for each statement"
# What leaves no row, so that whoever reads this does not take silence for health.
ONLY_IN_THE_LOG = (
    "only in the log: webhooks that receivers refused or could not queue, and callers that were turned away",
)
ONLY_FOR_ALL_ACCOUNTS = (
    "the processes, the queue, dead letters and endpoints: ask with a token of all accounts and without `account`"
)


class NamedCount(Struct, frozen=True, kw_only=True):
    """How often something with this name happened within the window."""

    name: str
    count: int


class ChangeView(Struct, frozen=True, kw_only=True):
    """One contact's status, as it changed."""

    at: datetime
    contact: str  # masked
    old_status: str
    new_status: str
    cause: str


class TroubleView(Struct, frozen=True, kw_only=True):
    """What is wrong now, in the words of the log event that tells of the same."""

    event: str
    level: str  # warning or error
    about: str  # such as the endpoint; empty if there is nothing to name
    count: int
    last_at: datetime
    says: str
    remedy: str


class Overview(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/overview`."""

    at: datetime
    account: str | None  # None: all
    window_seconds: int
    processors: int | None  # that live; None to a token of one account, as are the next two
    queue_age_seconds: float | None  # of the oldest webhook in the last load; None if no processor tells
    waiting_parcels: int | None  # also None if no processor can measure its queues
    sources: list[SourceIntake]  # the latest first
    statuses: list[NamedCount]  # that contacts got, the commonest first
    causes: list[NamedCount]  # of these changes
    providers: list[NamedCount]  # whose reports made these changes
    changes: list[ChangeView]  # the latest first
    troubles: list[TroubleView]  # errors first, then the latest
    not_shown: list[str]  # what this cannot tell


async def overview(pool: Pool, account: str | None) -> Overview:
    """What happens to the contacts of an account, or to all, and then also to the processes.

    Raises StoreUnavailable, also if Postgres takes longer than TIMEOUT_SECONDS for a statement.
    """
    remedy = "so much happens that it cannot be counted in time; the metrics and the log tell it"
    async with (
        snapshot(pool, _DOING) as connection,
        limited_statements(connection, _DOING, timeout_seconds=TIMEOUT_SECONDS, remedy=remedy),
    ):
        # By the clock of Postgres, and without an end: changes bear the time of the processor that made them.
        now = await transaction_time(connection)
        span = Span(since=now - WINDOW, until=_OPEN_END, account=account)
        sources = await read_intake(connection, account)
        statuses = await count_statuses(connection, span)
        providers = await count_providers(connection, span)
        changes = await latest_changes(connection, account, limit=_MOST_CHANGES)
        signs = await read_signs(connection) if account is None else None
        troubles = [] if signs is None else await _troubles(connection, signs, now)
    return Overview(
        at=now,
        account=account,
        window_seconds=int(WINDOW.total_seconds()),
        processors=None if signs is None else signs.processors,
        queue_age_seconds=None if signs is None else signs.oldest_age_seconds,
        waiting_parcels=None if signs is None else signs.waiting_parcels,
        sources=sources,
        statuses=_top((one.status, one.changes) for one in statuses),
        causes=_top((one.cause, one.changes) for one in statuses),
        providers=_top(providers.items()),
        changes=[
            ChangeView(
                at=change.recorded_at,
                contact=mask_address(change.address),
                old_status=change.old_status,
                new_status=change.new_status,
                cause=change.cause,
            )
            for change in changes
        ],
        troubles=sorted(troubles, key=lambda one: (one.level == "warning", -one.last_at.timestamp())),
        not_shown=[*([] if account is None else [ONLY_FOR_ALL_ACCOUNTS]), *ONLY_IN_THE_LOG],
    )


async def _troubles(connection: Connection, signs: ProcessorSigns, now: datetime) -> list[TroubleView]:
    troubles = []
    if signs.processors == 0:
        troubles.append(
            TroubleView(
                event=NO_PROCESSOR,
                level="error",
                about="",
                count=1,
                last_at=now,
                says="No processor has shown that it lives within the last half minute, so nothing takes effect.",
                remedy="Start one, or look why it ended: webhooks wait in the queue.",
            )
        )
    if signs.unmeasured:
        troubles.append(
            TroubleView(
                event=UNMEASURED,
                level="warning",
                about="",
                count=signs.unmeasured,
                last_at=now,
                says="A processor cannot measure its queue, so nobody knows what waits in it. Nothing is lost.",
                remedy="Look whether RabbitMQ runs and is reached: `bouncekeeper doctor` says what is wrong.",
            )
        )
    letters, latest_at = await newest_dead_letters(connection, most=_MOST_LETTERS)
    if latest_at is not None:
        troubles.append(_trouble("delivery.set_aside", "", count=letters, last_at=latest_at))
    for one in await endpoint_troubles(connection):
        event = "endpoint.failed" if one.disabled_at is None else "endpoint.disabled"
        last_at = one.disabled_at or one.failing_since or now
        troubles.append(_trouble(event, one.endpoint, count=1, last_at=last_at))
    return troubles


def _trouble(event: str, about: str, *, count: int, last_at: datetime) -> TroubleView:
    declared = LOG_EVENTS[event]
    return TroubleView(
        event=event,
        level=declared.level,
        about=about,
        count=count,
        last_at=last_at,
        says=declared.says,
        remedy=declared.remedy,
    )


def _top(counts: Iterable[tuple[str, int]]) -> list[NamedCount]:
    total: Counter[str] = Counter()
    for name, count in counts:
        total[name] += count
    first = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_TOP]
    return [NamedCount(name=name or "(none)", count=count) for name, count in first]
