"""Unsubscribe links: POST acts at once and is durable before its answer, GET and HEAD change nothing."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from schemas.source import Secret
from schemas.vocabulary import Kind, Way
from tests.captured_lines import capture_logs
from tests.providers.reading import parse_envelope
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import RunningReceiver, TallyingWriter, is_empty, take_envelopes
from tests.waiting import stays, until
from worker.errors import ImpossibleSetting
from worker.local_services.process import free_port
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import PROVIDER
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.queue.parking import ParkingWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter
from worker.settings.tree import UnsubscribeSettings

SETTINGS = UnsubscribeSettings(secrets=(Secret("0123456789abcdef0123456789abcdef"),), company="Example Shop")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LINK = UnsubscribeLink(address="jane@example.org", list="newsletter <b>")

_Running = Callable[..., Awaitable[RunningReceiver]]


def path_of(link: UnsubscribeLink = LINK) -> str:
    return f"/u/{UnsubscribeKeys(SETTINGS.secrets).make(link)}"


@pytest.fixture
async def start(start_receiver: Start) -> _Running:
    async def running(writer: object, unsubscribe: UnsubscribeSettings = SETTINGS) -> RunningReceiver:
        return await start_receiver(sources=[], writer=writer, unsubscribe=unsubscribe)

    return running


async def test_one_click_is_in_the_queue_before_it_is_answered(
    start: _Running, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    receiver = await start(rabbitmq_writer)
    rabbitmq_writer.may_confirm.clear()
    posting = asyncio.create_task(_post(receiver, path_of(), ONE_CLICK))
    await until(lambda: len(rabbitmq_writer.parcels) == 1, "the parcel to be put")
    await stays(lambda: not posting.done(), "the mail program waits for the answer", seconds=0.3)
    rabbitmq_writer.may_confirm.set()
    status, headers, _ = await posting
    assert status == 200
    assert not {"Set-Cookie", "Location"} & set(headers)
    [envelope] = await take_envelopes(rabbitmq_reader, 1)
    [event] = parse_envelope(PROVIDER, envelope)
    assert (event.kind, event.address, event.way) == (Kind.UNSUBSCRIBE, "jane@example.org", Way.MAIL_CLIENT)
    assert envelope.account_from == "account"


async def test_one_click_may_come_as_a_form_with_parts_and_in_chunks(
    start: _Running, postgres_writer: TallyingWriter
) -> None:
    receiver = await start(postgres_writer)
    form = aiohttp.FormData(ONE_CLICK, default_to_multipart=True)
    assert (await _post(receiver, path_of(), form))[0] == 200

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"List-Unsub", b"scribe=One", b"-Click"):
            yield piece

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await _post(receiver, path_of(), pieces(), headers))[0] == 200
    assert len(postgres_writer.parcels) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_following_the_link_alone_changes_nothing(
    method: str, start: _Running, postgres_writer: TallyingWriter
) -> None:
    receiver = await start(postgres_writer)
    async with receiver.client.request(method, f"{path_of()}?choice=never&List-Unsubscribe=One-Click") as answer:
        assert answer.status == (200 if method in {"GET", "HEAD"} else 405)
        assert (await answer.read() == b"") is (method == "HEAD")
    assert postgres_writer.parcels == []


async def test_the_page_shows_no_address_in_clear_and_needs_nothing_from_elsewhere(
    start: _Running, postgres_writer: TallyingWriter
) -> None:
    receiver = await start(postgres_writer)
    async with receiver.client.get(path_of(), headers=BROWSER) as answer:
        page, headers = await answer.text(), answer.headers
    assert "j•••@example.org" in page
    assert "jane" not in page
    assert "newsletter &lt;b&gt;" in page
    assert "Mail from Example Shop" in page
    assert not re.search(r"<script|<img|<link|src=|https?:", page)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert headers["X-Robots-Tag"].startswith("noindex")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("choice", "kind", "noted"),
    [
        ("fewer", Kind.PREFERS_FEWER, "You want fewer messages. What you have ended before stays ended."),
        ("list", Kind.UNSUBSCRIBE, "You get no more of “newsletter &lt;b&gt;”."),
        ("commercial", Kind.DECLINES_COMMERCIAL, "You get only what belongs to an order or an account of yours."),
        ("never", Kind.FORBIDS_CONTACT, "You get no message at all any more, not even receipts."),
    ],
)
async def test_a_choice_is_queued_and_the_answer_says_what_was_noted_and_how_it_ends(
    choice: str,
    kind: Kind,
    noted: str,
    *,
    start: _Running,
    postgres_writer: TallyingWriter,
    postgres_reader: PostgresReader,
) -> None:
    receiver = await start(postgres_writer)
    async with receiver.client.get(path_of(), headers=BROWSER) as answer:
        assert f'name="choice" value="{choice}"' in await answer.text()
    status, headers, body = await _post(receiver, path_of(), {"choice": choice}, BROWSER)
    page = body.decode()
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert noted in page
    assert "a new sign-up ends this" in page
    assert "jane" not in page
    [envelope] = await take_envelopes(postgres_reader, 1)
    [event] = parse_envelope(PROVIDER, envelope)
    assert (event.kind, event.way) == (kind, Way.FOOTER_LINK)


async def test_a_link_without_a_list_is_about_all_of_them(start: _Running, postgres_writer: TallyingWriter) -> None:
    receiver = await start(postgres_writer)
    async with receiver.client.get(path_of(UnsubscribeLink(address="jane@example.org"))) as answer:
        assert "No more newsletters" in await answer.text()


async def test_a_token_that_is_not_ours_is_refused_before_its_body_and_never_logged(
    start: _Running, postgres_writer: TallyingWriter
) -> None:
    receiver = await start(postgres_writer)
    others = UnsubscribeKeys((Secret("another secret of thirty-two characters"),)).make(LINK)
    with capture_logs() as lines:
        assert (await _post(receiver, f"/u/{others}", ONE_CLICK))[0] == 404
        status, _, body = await _post(receiver, f"/u/{others}", {"choice": "never"}, BROWSER)
        async with receiver.client.get(f"/u/{others}") as answer:
            assert answer.status == 404
            assert "This link does not work" in await answer.text()
    assert (status, "This link does not work" in body.decode()) == (404, True)
    assert [line["event"] for line in lines] == ["webhook.refused", "webhook.refused", "unsubscribe.refused"]
    assert {line["reason"] for line in lines} == {"unknown_key"}
    assert str(others) not in str(lines)
    head = f"POST /u/{others} HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n"
    assert (await receiver.exchange(head.encode())).startswith(b"HTTP/1.1 404 ")
    assert postgres_writer.parcels == []


async def test_neither_token_nor_address_is_logged(start: _Running, postgres_writer: TallyingWriter) -> None:
    receiver = await start(postgres_writer)
    with capture_logs() as lines:
        await _post(receiver, path_of(), ONE_CLICK)
        await _post(receiver, path_of(), {"choice": "nothing"})
    assert [line["event"] for line in lines] == ["webhook.accepted", "webhook.refused"]
    assert "jane" not in str(lines)
    assert path_of()[3:] not in str(lines)


async def test_a_large_body_is_refused_even_with_a_genuine_token(
    start: _Running, postgres_writer: TallyingWriter
) -> None:
    receiver = await start(postgres_writer)
    status, _, _ = await _post(receiver, path_of(), {**ONE_CLICK, "more": "x" * 300_000})
    assert (status, postgres_writer.parcels) == (413, [])


async def test_with_the_broker_away_one_click_is_parked_in_postgres(
    start: _Running, postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    broker = await RabbitMQWriter.open(f"amqp://nobody:nothing@127.0.0.1:{free_port()}/")
    receiver = await start(ParkingWriter(broker, postgres_writer, park_after_seconds=0.5))
    assert (await _post(receiver, path_of(), ONE_CLICK))[0] == 200
    await take_envelopes(postgres_reader, 1)
    await receiver.stop()
    await broker.close()


async def test_with_broker_and_postgres_away_everybody_is_told_to_try_again(
    start: _Running, absent_postgres_dsn: str
) -> None:
    broker = await RabbitMQWriter.open(f"amqp://nobody:nothing@127.0.0.1:{free_port()}/")
    parking = await PostgresWriter.open(absent_postgres_dsn)
    receiver = await start(ParkingWriter(broker, parking, park_after_seconds=0.5))
    status, headers, body = await _post(receiver, path_of(), ONE_CLICK)
    assert (status, headers["Retry-After"], json.loads(body)["error"]) == (503, "30", "queue_unavailable")
    status, headers, body = await _post(receiver, path_of(), {"choice": "list"}, BROWSER)
    assert (status, headers["Retry-After"]) == (503, "30")
    assert "Please try again" in body.decode()
    async with receiver.client.get(path_of()) as answer:
        assert answer.status == 200
    await receiver.stop()
    await broker.close()
    await parking.close()


async def test_without_secrets_there_is_no_page(start: _Running, postgres_writer: TallyingWriter) -> None:
    receiver = await start(postgres_writer, UnsubscribeSettings())
    assert (await _post(receiver, path_of(), ONE_CLICK))[0] == 404


async def test_the_texts_are_those_of_the_configured_file(
    start: _Running, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    file = tmp_path / "words.toml"
    file.write_text(
        'language = "de"\ntitle = "Post von {company}"\n[fewer]\nbutton = "Weniger"\nsays = "-"\nnoted = "+"\n'
    )
    words = UnsubscribeSettings(secrets=SETTINGS.secrets, company="Laden & Co", words_file=str(file))
    receiver = await start(postgres_writer, words)
    async with receiver.client.get(path_of()) as answer:
        page = await answer.text()
    assert '<html lang="de">' in page
    assert "<h1>Post von Laden &amp; Co</h1>" in page
    assert ">Weniger</button>" in page.replace("\n", "")


@pytest.mark.parametrize("text", ["tittle = 'x'", "title = 7", "title = '{name}'", "title = '{'", "title"])
async def test_a_file_of_texts_with_a_mistake_stops_the_start(
    text: str, start: _Running, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    file = tmp_path / "words.toml"
    file.write_text(text)
    with pytest.raises(ImpossibleSetting, match="words_file names the file"):
        await start(postgres_writer, UnsubscribeSettings(secrets=SETTINGS.secrets, words_file=str(file)))


async def test_looking_at_the_page_queues_nothing(
    start: _Running, rabbitmq_writer: TallyingWriter, rabbitmq_reader: RabbitMQReader
) -> None:
    receiver = await start(rabbitmq_writer)
    for _ in range(20):
        async with receiver.client.get(path_of()) as answer:
            await answer.read()
    assert await is_empty(rabbitmq_reader)


async def _post(
    receiver: RunningReceiver, path: str, data: object, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    async with receiver.client.post(path, data=data, headers=headers, allow_redirects=False) as answer:
        return answer.status, dict(answer.headers), await answer.read()
