"""Signed webhooks to applications: in order, at least once, whatever the application does meanwhile."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from schemas.endpoint import Endpoint
from schemas.source import Secret
from schemas.vocabulary import Cause, Kind
from tests.processor.application import Application, application
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.processor import endpoint_client
from worker.processor.endpoint_client import EndpointClient, signed_headers
from worker.processor.webhooks_out import EndpointSender
from worker.store.endpoint_states import EndpointState, enable_endpoint, endpoint_state, follower_name
from worker.store.feed_followers import ensure_follower
from worker.store.pool import WriterPool
from worker.store.status_feed import BEGINNING, changes_after
from worker.store.turns import Turns
from worker.store.writer_pool import writing

RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=1))
SECRET = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
OLDER_SECRET = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
NAME = "crm"


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with application(SECRET) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[EndpointClient]:
    async with EndpointClient() as one:
        yield one


class Processor:
    """A sender with turns of its own, as each processor has them."""

    def __init__(self, pool: WriterPool, dsn: str, client: EndpointClient, endpoint: Endpoint, days: float) -> None:
        self.turns = Turns(dsn)
        self._sender = EndpointSender(
            endpoint, pool=pool, turns=self.turns, client=client, give_up_after=timedelta(days=days)
        )

    async def send(self) -> int:
        return await self._sender.send_waiting(asyncio.Event())


class Office:
    """Makes processors for the endpoint, which is told of everything from the beginning."""

    def __init__(self, pool: WriterPool, dsn: str, client: EndpointClient, app: Application) -> None:
        self._pool, self._dsn, self._client, self._app = pool, dsn, client, app
        self.hired: list[Processor] = []

    def hire(self, *, statuses: tuple[str, ...] = (), days: float = 5, url: str | None = None) -> Processor:
        secrets = (Secret(OLDER_SECRET), Secret(SECRET))
        endpoint = Endpoint(name=NAME, url=url or self._app.url, secrets=secrets, statuses=statuses)
        self.hired.append(Processor(self._pool, self._dsn, self._client, endpoint, days))
        return self.hired[-1]


@pytest.fixture
async def office(
    pool: WriterPool, database_dsn: str, client: EndpointClient, app: Application
) -> AsyncIterator[Office]:
    await ensure_follower(pool, follower_name(NAME))
    one = Office(pool, database_dsn, client, app)
    yield one
    for processor in one.hired:
        await processor.turns.close()


async def complain(pool: WriterPool, *addresses: str, after: float = 0) -> None:
    await change(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, *addresses, after=after)


async def change(pool: WriterPool, kind: Kind, cause: Cause, *addresses: str, day: float = 0, after: float = 0) -> None:
    for address in addresses:
        async with writing(pool) as connection:
            event = make_event(kind, cause=cause, address=address, day=day)
            await apply_events(connection, [event], rules=RULES, now=START + timedelta(days=day + after))


async def state(pool: WriterPool) -> EndpointState:
    found = await endpoint_state(pool, NAME, counted=True)
    assert found is not None
    return found


async def due_now(pool: WriterPool) -> None:
    """The wait before the next attempt is over."""
    await pool.execute("UPDATE feed_followers SET next_attempt_at = now() - interval '1 second'")


async def test_each_change_is_the_feeds_item_signed_with_every_secret(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, "jane@example.org")
    await change(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, "joe@example.org")
    assert await office.hire().send() == 2
    assert app.taken == await changes_after(pool, BEGINNING, limit=10)
    assert (await state(pool)).waiting == 0


def test_the_headers_verify_with_the_specifications_library_under_each_secret() -> None:
    endpoint = Endpoint(name=NAME, url="https://crm.example.org", secrets=(Secret(OLDER_SECRET), Secret(SECRET)))
    headers = signed_headers(endpoint, "an-id", '{"name":"Zoë"}'.encode(), now=datetime.now(UTC))
    assert headers["webhook-id"] == "an-id"
    for secret in (SECRET, OLDER_SECRET):
        assert Webhook(secret).verify('{"name":"Zoë"}', headers) == {"name": "Zoë"}


async def test_a_change_that_is_not_taken_is_tried_again_and_nothing_passes_it(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, "first@example.org", "second@example.org")
    processor = office.hire()
    app.status = 500
    assert await processor.send() == 0
    failing = await state(pool)
    assert (failing.attempts, failing.failure, failing.waiting) == (1, "it answered 500", 2)
    assert failing.next_attempt_at is not None
    assert await processor.send() == 0
    assert len(app.attempts) == 1  # not before the next attempt is due

    app.status = 204
    await due_now(pool)
    assert await processor.send() == 2
    assert app.addresses == ["first@example.org", "second@example.org"]
    assert (await state(pool)).failing_since is None


async def test_the_wait_grows_from_seconds_to_minutes_and_heeds_what_the_application_asks(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, "jane@example.org")
    processor = office.hire()
    app.status = 503
    waits = []
    for _ in range(11):
        before = datetime.now(UTC)
        await processor.send()
        waits.append(((await state(pool)).next_attempt_at or before) - before)
        await due_now(pool)
    assert timedelta(seconds=0.7) < waits[0] < timedelta(seconds=3)
    assert all(timedelta(minutes=3.9) < wait < timedelta(minutes=6.1) for wait in waits[9:])
    app.headers = {"retry-after": "1800"}
    before = datetime.now(UTC)
    await processor.send()
    assert timedelta(minutes=30) <= ((await state(pool)).next_attempt_at or before) - before < timedelta(minutes=31)


async def test_a_redirect_is_not_followed(pool: WriterPool, office: Office, app: Application) -> None:
    await complain(pool, "jane@example.org")
    app.status, app.headers = 307, {"location": "/elsewhere"}
    assert await office.hire().send() == 0
    assert app.followed == 0
    assert "redirects are not followed" in ((await state(pool)).failure or "")


async def test_an_application_that_hangs_or_is_away_fails_without_showing_its_url(
    pool: WriterPool, office: Office, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_client, "TIMEOUT_SECONDS", 0.3)
    await complain(pool, "jane@example.org")
    processor = office.hire()
    app.hangs = True
    assert await processor.send() == 0
    assert (await state(pool)).failure == "no answer within 0.3 s"
    await app.stop()
    await due_now(pool)
    assert await processor.send() == 0
    failure = (await state(pool)).failure or ""
    assert "ClientConnectorError" in failure
    assert "of-the-url" not in failure

    app.hangs = False
    await app.start()
    await due_now(pool)
    assert await processor.send() == 1
    assert app.addresses == ["jane@example.org"]


async def test_after_days_of_failure_it_is_disabled_and_a_person_enables_it_again(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, "first@example.org")
    processor = office.hire(days=2)
    app.status = 404
    await processor.send()
    await pool.execute("UPDATE feed_followers SET failing_since = now() - interval '49 hours'")
    await due_now(pool)
    await processor.send()
    assert (await state(pool)).disabled_at is not None

    app.status = 200
    await due_now(pool)
    await complain(pool, "meanwhile@example.org")
    assert await processor.send() == 0
    assert await enable_endpoint(pool, NAME)
    assert await processor.send() == 2
    assert app.addresses == ["first@example.org", "meanwhile@example.org"]


async def test_an_application_that_is_gone_for_good_is_disabled_at_once(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, "jane@example.org")
    app.status = 410
    await office.hire().send()
    assert (await state(pool)).disabled_at is not None


async def test_it_is_enabled_from_where_the_person_says(pool: WriterPool, office: Office, app: Application) -> None:
    await complain(pool, "a@example.org", "b@example.org", "c@example.org", after=30)
    processor = office.hire()
    await processor.send()
    assert await enable_endpoint(pool, NAME, after_position=1)
    await processor.send()
    assert app.addresses == [*(f"{name}@example.org" for name in "abc"), "b@example.org", "c@example.org"]
    await complain(pool, "missed@example.org")
    await changes_after(pool, BEGINNING, limit=1)  # it has its place in the feed
    assert await enable_endpoint(pool, NAME, from_now=True)
    await complain(pool, "later@example.org")
    await processor.send()
    assert app.addresses[5:] == ["later@example.org"]
    assert not await enable_endpoint(pool, "unheard-of")


async def test_only_the_statuses_that_were_asked_for_are_sent(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await change(pool, Kind.UNSUBSCRIBE, Cause.NONE, "off@example.org")
    await complain(pool, "cross@example.org")
    await change(pool, Kind.UNSUBSCRIBE, Cause.NONE, "off2@example.org")
    assert await office.hire(statuses=("complained",)).send() == 1
    assert app.addresses == ["cross@example.org"]
    assert (await state(pool)).waiting == 0


async def test_one_processor_sends_at_a_time_and_another_takes_over_when_it_dies(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, *(f"gone{number}@example.org" for number in range(30)))
    first, second = office.hire(), office.hire()
    sent = await asyncio.gather(first.send(), second.send())
    assert sorted(sent) == [0, 30]
    assert app.addresses == [f"gone{number}@example.org" for number in range(30)]

    await complain(pool, "last@example.org")
    await first.turns.close()
    await second.turns.close()
    async with asyncio.timeout(10):
        while not await second.send():
            pass
    assert app.addresses[30:] == ["last@example.org"]


async def test_fresh_changes_pass_bulk_work_and_each_contacts_changes_keep_their_order(
    pool: WriterPool, office: Office, app: Application
) -> None:
    await complain(pool, *(f"bulk{number}@example.org" for number in range(60)), after=30)
    await change(pool, Kind.UNSUBSCRIBE, Cause.NONE, "jane@example.org", after=30)
    await complain(pool, "jane@example.org", "fresh@example.org")
    assert await office.hire().send() == 63
    assert app.addresses[0] == "fresh@example.org"
    assert [one.new_status for one in app.taken if one.address == "jane@example.org"] == ["unsubscribed", "complained"]
    assert app.addresses[1:61] == [f"bulk{number}@example.org" for number in range(60)]
