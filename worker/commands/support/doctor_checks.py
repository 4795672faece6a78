"""The checks of `doctor`. Each returns findings, and does not raise if something is wrong."""

import asyncio
import shutil
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.commands.support.doctor_secret_files import look_at_secret_files
from worker.commands.support.doctor_sources import look_at_sources
from worker.commands.support.doctor_summary import look_at_summary
from worker.commands.support.doctor_traces import look_at_traces
from worker.commands.support.finding import Finding, Level, note, well, wrong
from worker.commands.support.listeners import api_url, receiver_url
from worker.commands.support.output import moment
from worker.errors import BouncekeeperError
from worker.settings.tree import Settings
from worker.settings.values import UnreadableFile

_MIB = 1024 * 1024
_LOW_DISK_BYTES = 1024 * _MIB
_TIMEOUT_SECONDS = 5.0
_RELAY_PATIENCE_SECONDS = 60


async def look_at_everything(settings: Settings, unreadable_files: Collection[UnreadableFile] = ()) -> list[Finding]:
    """All findings, in the order in which a webhook passes. What depends on a file that was not read is left out."""
    unread = {file.section for file in unreadable_files}
    queue_section = "queue" if settings.queue.adapter == "rabbitmq" else "postgres"
    receiver = await look_at_process("receiver", receiver_url(settings))
    api = await look_at_process("api", api_url(settings))
    ready = [finding.what for finding in (*receiver, *api) if finding.level is Level.WELL]
    return [
        *look_at_secret_files(unreadable_files, ready=ready),
        *(await look_at_sources(settings) if settings.sources or "sources" not in unread else ()),
        *receiver,
        *(await look_at_queue(settings) if queue_section not in unread else ()),
        *(await look_at_database(settings) if "postgres" not in unread else ()),
        *api,
        *(look_at_tokens(settings) if "api" not in unread else ()),
        *(await look_at_summary(settings.summary) if "summary" not in unread else ()),
        *(await look_at_traces(settings.traces) if "traces" not in unread else ()),
        *look_at_disk(settings),
    ]


async def look_at_process(what: str, url: str) -> list[Finding]:
    """Whether the process runs where the settings say, and whether it is ready."""
    import aiohttp  # noqa: PLC0415 - costs time that --help has not

    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/readyz") as answer:
            text = (await answer.text()).strip()[:500]
            if answer.status == 200:  # noqa: PLR2004 - the HTTP status
                return [well(what, f"ready at {url}")]
            return [wrong(what, f"answers at {url}, but is not ready: {text}", "see the reason, and its log")]
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        remedy = f"fine if it runs on another machine; {what}.reached_at may name it"
        return [note(what, f"does not run at {url} ({type(error).__name__})", remedy)]


async def look_at_database(settings: Settings) -> list[Finding]:
    """Postgres, its version and replicas, the migrations, the partitions, dead letters and backlogs."""
    from worker.commands.support.doctor_server import look_at_server  # noqa: PLC0415
    from worker.store.migrations import migrate  # noqa: PLC0415 - costs time that --help has not
    from worker.store.pool import open_pool  # noqa: PLC0415
    from worker.store.server_state import server_state  # noqa: PLC0415
    from worker.store.sessions import session  # noqa: PLC0415

    url = settings.postgres.url.reveal()
    try:
        pool = await open_pool(url, connections=1, command_timeout_seconds=_TIMEOUT_SECONDS)
    except BouncekeeperError as error:
        remedy = "start Postgres (`bouncekeeper up` starts an embedded one), or correct the URL"
        return [wrong("postgres", str(error), remedy)]
    try:
        findings = look_at_server(await server_state(pool))
        if missing := await migrate(url, dry_run=True):
            return [*findings, wrong("schema", f"lacks {', '.join(missing)}", "run `bouncekeeper migrate`")]
        findings.append(well("schema", "up to date"))
        async with session(pool, "looking into the database") as connection:
            return findings + await _look_into_database(connection, settings)
    except BouncekeeperError as error:
        return [wrong("postgres", str(error), "see the log of Postgres")]
    finally:
        await pool.close()


async def _look_into_database(connection: Any, settings: Settings) -> list[Finding]:
    from worker.store.dead_letters import count_open_dead_letters  # noqa: PLC0415 - costs time that --help has not
    from worker.store.overview import backlogs  # noqa: PLC0415
    from worker.store.partitions import existing_partitions, month_of, months_later  # noqa: PLC0415

    this_month = month_of(datetime.now(UTC))
    needed = [months_later(this_month, ahead) for ahead in range(settings.processor.partitions_ahead_months + 1)]
    months = await existing_partitions(connection)
    missing = [f"{month:%Y-%m}" for month in needed if month not in months]
    findings = []
    if missing and this_month not in months:
        findings.append(
            note("partitions", f"missing: {', '.join(missing)}", "a processor makes them when it starts: start one")
        )
    elif missing:
        findings.append(
            note("partitions", f"missing: {', '.join(missing)}", "a processor makes them: check that one runs")
        )
    else:
        findings.append(well("partitions", f"{len(months)} months, the last is {max(months):%Y-%m}"))
    letters = await count_open_dead_letters(connection)
    findings.append(
        note("dead letters", f"{letters} wait for a person", "see `bouncekeeper dead-letters list`")
        if letters
        else well("dead letters", "none")
    )
    patience = timedelta(seconds=_RELAY_PATIENCE_SECONDS + settings.processor.relay_every_seconds)
    findings.append(await _look_at_policy(connection, settings))
    for backlog in await backlogs(connection):
        if backlog.oldest_at is not None and datetime.now(UTC) - backlog.oldest_at > patience:
            detail = f"{backlog.waiting} status changes have waited since {moment(backlog.oldest_at)}"
            remedy = "check that a processor and RabbitMQ run, and see `bouncekeeper endpoints list`"
            findings.append(note(backlog.follower, detail, remedy))
        else:
            findings.append(well(backlog.follower, f"{backlog.waiting} status changes wait"))
    return findings


async def _look_at_policy(connection: Any, settings: Settings) -> Finding:
    from worker.policy.policy_encoding import decode_policy  # noqa: PLC0415 - costs time that --help has not
    from worker.store.policies import active_policy_row  # noqa: PLC0415

    active = await active_policy_row(connection)
    if active is None:
        return note("policy", "none is stored yet", "a processor stores the configuration's when it starts: start one")
    if decode_policy(active.definition) != settings.policy:
        return note(
            "policy",
            f"{active.id}, {active.name}, is in force, and the configuration's, {settings.policy.name}, is another one",
            "see `bouncekeeper policy apply --dry-run`, then apply it or take the change back",
        )
    return well("policy", f"{active.id}, {active.name}, is in force, as configured")


async def look_at_queue(settings: Settings) -> list[Finding]:
    """The queue: whether it is reachable, its version, how much waits. Takes nothing out of it."""
    from worker.queue.opening import broker_url, open_depth_reader  # noqa: PLC0415 - costs time that --help has not

    if (url := broker_url(settings.queue)) is not None:
        return await _look_at_rabbitmq(settings, url)
    try:
        reader = await open_depth_reader(settings)
        try:
            depth = await reader.depth()
        finally:
            await reader.close()
    except BouncekeeperError as error:
        return [wrong("queue", str(error), "see postgres below")]
    if depth is None:
        return [wrong("queue", "in Postgres, which is away", "see postgres below")]
    return [well("queue", f"in Postgres, {depth} parcels wait")]


async def _look_at_rabbitmq(settings: Settings, url: str) -> list[Finding]:
    import aiormq  # noqa: PLC0415 - costs time that --help has not

    try:
        connection = await asyncio.wait_for(aiormq.connect(url), _TIMEOUT_SECONDS)
    except (aiormq.AMQPError, OSError, TimeoutError) as error:
        return [
            wrong(
                "rabbitmq",
                f"cannot be reached: {str(error) or type(error).__name__}",
                "start it, or correct queue.url; until then webhooks are parked in Postgres",
            )
        ]
    try:
        version = _text(connection.server_properties.get("version"))
        return [well("rabbitmq", f"version {version}"), *await _look_into_rabbitmq(connection, settings)]
    finally:
        await connection.close()


async def _look_into_rabbitmq(connection: Any, settings: Settings) -> list[Finding]:
    from schemas.queue_topology import DEAD_QUEUE, FORMER_QUEUE, SHARED_LANES, lane_queue  # noqa: PLC0415
    from worker.processor.lanes import lanes_of  # noqa: PLC0415 - costs time that --help has not
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - as above

    lanes = lanes_of(settings.sources, PROVIDERS)
    findings = []
    for names, optional, about in (
        ([lane_queue(lane) for lane in SHARED_LANES], [FORMER_QUEUE, *map(lane_queue, lanes)], "parcels wait"),
        ([DEAD_QUEUE], [], "dead parcels wait to be moved"),
    ):
        queues = {name: await _queue_in_rabbitmq(connection, name) for name in (*names, *optional)}
        if missing := [name for name in names if queues[name] is None]:
            remedy = "a receiver or processor makes it when it starts"
            findings.append(note("rabbitmq", f"has no queue {missing[0]} yet", remedy))
            continue
        waiting = {name: queue.message_count or 0 for name, queue in queues.items() if queue is not None}
        most = max(waiting, key=lambda name: waiting[name])
        where = f", {waiting[most]} of them in {most}" if waiting[most] and optional else ""
        readers = queues[names[0]].consumer_count
        findings.append(well("rabbitmq", f"{sum(waiting.values())} {about}{where}; processors connected: {readers}"))
    return findings


async def _queue_in_rabbitmq(connection: Any, name: str) -> Any:
    """The broker's answer about the queue; None if the queue does not exist."""
    import aiormq  # noqa: PLC0415 - costs time that --help has not

    channel = await connection.channel()
    try:
        queue = await channel.queue_declare(name, passive=True)
    except aiormq.AMQPError:
        return None
    await channel.close()
    return queue


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value or "unknown")


def look_at_tokens(settings: Settings) -> list[Finding]:
    """The tokens of the configuration, which may do everything in every account."""
    if not (count := len(settings.api.tokens)):
        return []
    few = "1 token is" if count == 1 else f"{count} tokens are"
    return [
        note(
            "api tokens",
            f"{few} under api.tokens: administrator of all accounts, never noted as used, revoked by a restart",
            "give each application its own with `bouncekeeper tokens create`, then remove api.tokens",
        )
    ]


def look_at_disk(settings: Settings) -> list[Finding]:
    """The free space of the data folder, if Postgres or RabbitMQ keeps its data there."""
    folder = Path(settings.data_directory)
    if not any((folder / service).is_dir() for service in ("postgres", "rabbitmq")):
        return []
    free = shutil.disk_usage(folder).free
    if free < _LOW_DISK_BYTES:
        return [wrong("disk", f"only {free // _MIB} MiB are free in {folder}", "make room, before Postgres stops")]
    return [well("disk", f"{free // _MIB} MiB are free in {folder}")]
