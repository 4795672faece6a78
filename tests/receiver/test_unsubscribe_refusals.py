"""Requests at an unsubscribe link from which nothing can be noted: what people and mail programs read then."""

import json

import pytest

from tests.receiver.conftest import Start
from tests.receiver.running_receiver import RunningReceiver, TallyingWriter
from tests.receiver.test_unsubscribe import BROWSER, LINK, ONE_CLICK, SETTINGS, path_of
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# What is sent, and the status of the answer.
UNCLEAR: list[tuple[str, dict[str, str], bytes, int]] = [
    ("POST", FORM, b"choice=nothing", 400),
    ("POST", FORM, b"", 400),
    ("POST", FORM, b"choice=fewer&more=" + b"x" * 300_000, 413),
    ("POST", {"Content-Type": "text/plain"}, b"List-Unsubscribe=One-Click", 415),
    ("POST", {**FORM, "Content-Encoding": "br"}, b"choice=fewer", 415),
    ("PUT", FORM, b"choice=fewer", 405),
    ("DELETE", {}, b"", 405),
]


@pytest.fixture
async def receiver(start_receiver: Start, postgres_writer: TallyingWriter) -> RunningReceiver:
    """A receiver with the page."""
    return await start_receiver(sources=[], writer=postgres_writer, unsubscribe=SETTINGS)


async def send(
    receiver: RunningReceiver, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], str]:
    async with receiver.client.request(method, path, data=body, headers=headers) as answer:
        return answer.status, dict(answer.headers), await answer.text()


@pytest.mark.parametrize(("method", "headers", "body", "expected"), UNCLEAR, ids=lambda value: str(value)[:40])
async def test_a_person_reads_a_page_that_leads_back_to_the_choices(
    receiver: RunningReceiver,
    postgres_writer: TallyingWriter,
    *,
    method: str,
    headers: dict[str, str],
    body: bytes,
    expected: int,
) -> None:
    status, answered, page = await send(receiver, method, path_of(), {**BROWSER, **headers}, body)
    assert (status, answered["Content-Type"]) == (expected, "text/html; charset=utf-8")
    assert "<h1>Nothing has changed</h1>" in page
    assert '<a href="">Show the choices</a>' in page
    assert (answered.get("Allow") == "GET, HEAD, POST") is (expected == 405)
    assert "jane" not in page
    assert postgres_writer.parcels == []


@pytest.mark.parametrize(("method", "headers", "body", "expected"), UNCLEAR, ids=lambda value: str(value)[:40])
async def test_a_mail_program_reads_what_to_send(
    receiver: RunningReceiver,
    postgres_writer: TallyingWriter,
    *,
    method: str,
    headers: dict[str, str],
    body: bytes,
    expected: int,
) -> None:
    status, answered, text = await send(receiver, method, path_of(), headers, body)
    problem = json.loads(text)
    assert (status, set(problem)) == (expected, {"error", "remedy"})
    assert "webhook" not in problem["remedy"]
    assert "batches" not in problem["remedy"]
    assert ("Accept-Encoding" in answered) is ("Content-Encoding" in headers)
    if expected in {400, 413, 405} or headers.get("Content-Type") == "text/plain":
        assert "List-Unsubscribe=One-Click" in problem["remedy"]
    assert postgres_writer.parcels == []


async def test_a_slash_behind_the_link_changes_nothing_of_it(
    receiver: RunningReceiver, postgres_writer: TallyingWriter
) -> None:
    status, _, page = await send(receiver, "GET", f"{path_of()}/", BROWSER)
    assert (status, "Mail from Example Shop" in page) == (200, True)
    status, _, page = await send(receiver, "POST", f"{path_of()}/", {**BROWSER, **FORM}, b"choice=never")
    assert (status, "It is noted" in page) == (200, True)
    async with receiver.client.post(f"{path_of()}/", data=ONE_CLICK) as answer:
        assert answer.status == 200
    assert len(postgres_writer.parcels) == 2


@pytest.mark.parametrize("path", ["/u/", "/u/x", f"/u/{UnsubscribeKeys(SETTINGS.secrets).make(LINK)}/more", "/u/a/b/c"])
async def test_what_is_no_link_is_a_page_that_says_so(
    receiver: RunningReceiver, postgres_writer: TallyingWriter, path: str
) -> None:
    for method in ("GET", "POST"):
        status, _, page = await send(receiver, method, path, {**BROWSER, **FORM}, b"choice=never")
        assert (status, "This link does not work" in page) == (404, True), method
    status, _, text = await send(receiver, "POST", path, FORM, b"List-Unsubscribe=One-Click")
    assert (status, json.loads(text)["remedy"]) == (404, "Use the whole link of the mail, or write to its sender.")
    assert postgres_writer.parcels == []
