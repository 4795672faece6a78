"""A right is taken away while processes run: they wait, say so as an error, and go on by themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.captured_lines import capture_logs
from tests.processor.rejecting_server import ROLES, USER, RejectingServer, rejections, settings_of
from tests.processor.test_service import bounce, envelopes, parcel, processor, until_answered
from tests.standby import ask
from tests.waiting import stays, until
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.failure import tell_failure
from worker.errors import ImpossibleSetting, MissingRight, QueueUnavailable
from worker.jobs.service import run_jobs
from worker.local_services.process import free_port
from worker.process.backlog import Backlog
from worker.processor.service import run_processor
from worker.queue.opening import open_writer
from worker.queue.postgres import PostgresWriter
from worker.store.migrations import give_rights

pytestmark = pytest.mark.slow

BLOCKED = "SELECT count(*) FROM contacts WHERE status = 'blocklisted'"
LOST = {
    "adding contacts": (
        f"REVOKE INSERT ON contacts FROM {ROLES}",
        "GRANT INSERT ON contacts TO bouncekeeper_processor",
    ),
    "taking parcels": (
        f"REVOKE UPDATE ON parked_deliveries FROM {ROLES}",
        "GRANT UPDATE ON parked_deliveries TO bouncekeeper_processor",
    ),
    "staging tables": (
        f"REVOKE TEMPORARY ON DATABASE bouncekeeper FROM {ROLES}",
        "GRANT TEMPORARY ON DATABASE bouncekeeper TO bouncekeeper_processor",
    ),
    "its roles": (f"REVOKE {ROLES} FROM {USER}", f"GRANT {ROLES} TO {USER}"),
}
PUTTING = f"REVOKE INSERT ON parked_deliveries FROM {ROLES}"  # on its columns too


@pytest.mark.parametrize("right", LOST)
async def test_a_processor_waits_for_a_right_that_is_taken_away_and_begins_anew(
    server: RejectingServer, right: str
) -> None:
    take_away, give_back = LOST[right]
    owner = await PostgresWriter.open(server.owner_dsn)
    with capture_logs() as lines:
        async with processor(settings_of(server)):
            await owner.put(parcel(envelopes([bounce("before@example.org")])))
            await until_answered(server.owner_dsn, BLOCKED, 1)
            await server.do(take_away)
            await server.end_sessions()
            await owner.put(parcel(envelopes([bounce("meanwhile@example.org")])))
            await until(lambda: rejections(lines), "an error line", show=lambda: lines)
            await server.do(give_back)
            await until_answered(server.owner_dsn, BLOCKED, 2, within_seconds=40)
    # The watch over Postgres has a line of its own, if it finds no session first.
    assert 1 <= len(rejections(lines)) <= 2
    assert "delivery.set_aside" not in {line["event"] for line in lines}
    await owner.close()


async def test_a_parcel_is_not_lent_again_and_again_while_a_right_is_missing(server: RejectingServer) -> None:
    """A broker gives up parcels that come back too often, and a parcel is suspected of killing processors."""
    owner = await PostgresWriter.open(server.owner_dsn)
    take_away, give_back = LOST["adding contacts"]
    with capture_logs() as lines:
        async with processor(settings_of(server)):
            await owner.put(parcel(envelopes([bounce("before@example.org")])))
            await until_answered(server.owner_dsn, BLOCKED, 1)
            await server.do(take_away)
            await owner.put(parcel(envelopes([bounce("meanwhile@example.org")])))
            await until(lambda: rejections(lines), "an error line", show=lambda: lines)
            lent = "SELECT times_lent::int FROM parked_deliveries"

            async def was_lent_once() -> bool:
                return await ask(server.owner_dsn, lent) == 1

            await stays(was_lent_once, "the parcel was lent once", seconds=3)
            await server.do(give_back)
            await until_answered(server.owner_dsn, BLOCKED, 2, within_seconds=40)
    await owner.close()


async def test_a_right_that_a_processor_never_had_ends_it(
    server: RejectingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await server.do(LOST["adding contacts"][0])
    owner = await PostgresWriter.open(server.owner_dsn)
    await owner.put(parcel(envelopes([bounce("first@example.org")])))
    await owner.close()
    with capture_logs() as lines, pytest.raises(MissingRight) as caught:
        async with asyncio.timeout(40):
            await run_processor(settings_of(server), asyncio.Event())
    assert tell_failure(caught.value, as_json=False) == ExitCode.IMPOSSIBLE_SETTING
    assert "permission denied for table contacts" in capsys.readouterr().err
    assert not rejections(lines)


async def test_a_role_that_is_too_small_ends_a_processor_that_starts(server: RejectingServer) -> None:
    await server.do(f"REVOKE bouncekeeper_processor FROM {USER}")
    with pytest.raises(MissingRight, match=r"postgres-roles\.sql"):
        await run_processor(settings_of(server), asyncio.Event())


@asynccontextmanager
async def jobs(server: RejectingServer) -> AsyncIterator["asyncio.Task[None]"]:
    stop = asyncio.Event()
    working = asyncio.create_task(run_jobs(settings_of(server), stop, Backlog()))
    try:
        yield working
    finally:
        stop.set()
        await working


# Several are opened once the tasks work side by side.
SEVERAL_SESSIONS = "SELECT count(*) > 1 FROM pg_stat_activity WHERE application_name = 'bouncekeeper jobs'"


async def test_jobs_wait_for_their_rights_too(server: RejectingServer) -> None:
    with capture_logs() as lines:
        async with jobs(server) as working:
            await until_answered(server.owner_dsn, SEVERAL_SESSIONS, answer=True)
            await server.do(f"REVOKE SELECT ON jobs FROM {ROLES}")  # noqa: S608 - our own roles
            await until(lambda: rejections(lines), "an error line", show=lambda: lines)
            await until_answered(server.owner_dsn, SEVERAL_SESSIONS, answer=False)
            await server.do("GRANT SELECT ON jobs TO bouncekeeper_processor")
            await until_answered(server.owner_dsn, SEVERAL_SESSIONS, answer=True)
            assert not working.done()


async def test_a_writer_is_not_available_until_it_may_put_again_and_says_it_each_time(server: RejectingServer) -> None:
    """With the queue in Postgres alone, /readyz says so: otherwise each webhook would come in vain."""
    writer = await PostgresWriter.open(server.dsn)
    await writer.put(b"parcel")
    with capture_logs() as lines:
        for times in (1, 2):
            await server.do(PUTTING)
            with pytest.raises(QueueUnavailable, match="permission denied"):
                await writer.put(b"parcel")
            await stays(lambda: not writer.available(), "the writer may not put", seconds=1.5)
            assert len(rejections(lines)) == times
            await give_rights(server.owner_dsn)
            await until(writer.available, "the writer to be available")
            await writer.put(b"parcel")
    await writer.close()


@pytest.mark.parametrize("broker", [None, "away"])
async def test_who_opens_the_writer_for_a_command_is_told_instead_of_waiting(
    server: RejectingServer, broker: str | None
) -> None:
    away = {"queue.adapter": "rabbitmq", "queue.url": f"amqp://me:pw@127.0.0.1:{free_port()}/"}
    settings = settings_of(server, **(away if broker else {}))
    await server.do(PUTTING)
    writer = await open_writer(settings, ends_when_refused=True)
    with capture_logs() as lines, pytest.raises(ImpossibleSetting, match="permission denied for table parked_"):
        await writer.put(b"parcel")
    assert not rejections(lines)
    await writer.close()
