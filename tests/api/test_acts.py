"""Every call that changes something writes one line that names the act and its actor."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.act_log_events import ACT_LOG_EVENTS
from schemas.decision import Role
from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.api.serving import api_on, serving
from tests.api.test_safelist import a_wish
from tests.contacts.dns_server import dns_server
from tests.schemas.feedback_events import START, make_event
from tests.schemas.openapi_document import openapi_document
from worker.contacts.tokens import make_token
from worker.settings.tree import RecheckSettings
from worker.store.pool import WriterPool

JANE, JOE, ANN, MAX = "jane@example.org", "joe@example.org", "ann@example.org", "max@mx.example"
NOTE = {"note": "a test"}
# In an order in which each changes something: the operation, its path and body, and the line of the act.
CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("addContacts", "/v1/contacts", {"contacts": [{"address": JANE, "tags": ["shop"]}]}, "act.finished"),
    ("removeFromContact", f"/v1/contacts/{JANE}/removals", {"tags": ["shop"]}, "belongings.removed"),
    ("decideAboutContact", f"/v1/contacts/{JANE}/decisions", {"kind": "listed", **NOTE}, "act.finished"),
    ("decideAboutContacts", "/v1/decisions", {"kind": "lifted", "addresses": [JANE], **NOTE}, "act.finished"),
    ("requestContact", f"/v1/contacts/{JOE}/safelist-requests", {**NOTE, "wish": {}}, "safelist.requested"),
    ("requestContacts", "/v1/safelist-requests", {"addresses": [ANN], **NOTE, "wish": {}}, "safelist.requested"),
    ("approveSafelistRequest", "/v1/safelist-requests/1/approve", {}, "safelist.decided"),
    ("declineSafelistRequest", "/v1/safelist-requests/2/decline", {"reason": "spam_related"}, "safelist.decided"),
    ("recheckContact", f"/v1/contacts/{MAX}/recheck", {}, "decision.made"),
]
CHANGE_NOTHING = {"checkAddresses", "makeUnsubscribeLinks"}
OF_THE_RECEIVER = {"reportEvents"}  # webhook.accepted


async def reported(store: Store) -> None:
    """Joe and Ann pressed "spam" three days ago; Max's domain did not exist."""
    now = datetime.now(UTC)

    def day(ago: int) -> float:
        return (now - timedelta(days=ago) - START) / timedelta(days=1)

    complaints = [make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address=one, day=day(3)) for one in (JOE, ANN)]
    cause = Cause.DOMAIN_DOES_NOT_EXIST
    bounces = [
        make_event(Kind.HARD_BOUNCE, cause=cause, address=MAX, message=f"m{ago}", day=day(ago)) for ago in (15, 10, 5)
    ]
    await store([*complaints, *bounces])


async def test_each_call_that_changes_something_writes_one_line_of_its_act(
    pool: WriterPool, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    await reported(store)
    made = await make_token(pool, name="crm", account="default", role=Role.OPERATOR, now=START, actor="the test")
    assert made is not None
    token = {"Authorization": f"Bearer {made.text}"}
    async with dns_server() as server:
        recheck = RecheckSettings(dns=True, nameservers=(f"127.0.0.1:{server.port}",))
        async with serving(api_on(pool, recheck=recheck)) as url, ClientSession(url) as client:
            for operation, path, body, event in CALLS:
                capsys.readouterr()
                asked = {**body, "wish": a_wish()} if "wish" in body else body
                async with client.post(path, json=asked, headers=token) as response:
                    assert response.status == 200, (operation, await response.text())
                await asyncio.sleep(0)  # lines are written at the end of a turn
                lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
                told = [line for line in lines if line["event"] in ACT_LOG_EVENTS]
                # An act about contacts also has a line for each of them, which may be the only one.
                (line,) = [one for one in told if one["event"] != "decision.made"] or told
                row = await pool.fetchrow("SELECT id, actor FROM acts ORDER BY id DESC LIMIT 1")
                assert row is not None
                assert (line["event"], line["act_id"]) == (event, row["id"]), operation
                assert line["actor"] == ("recheck rules" if operation == "recheckContact" else "crm"), operation


def test_no_call_that_changes_something_is_forgotten_here() -> None:
    described = openapi_document()
    changing = {
        operation["operationId"]
        for path in described["paths"].values()
        for method, operation in path.items()
        if method in {"post", "put", "patch", "delete"}
    }
    assert changing == {operation for operation, *_ in CALLS} | CHANGE_NOTHING | OF_THE_RECEIVER
