"""Mail that a mail server pipes to the receiver, with the very script of the operator's page."""

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from schemas.source import Source
from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, now, take_envelopes
from worker.local_services.process import free_port
from worker.providers.mail.mail_webhook import DELIVERED_AT_HEADER, DKIM_PASS_HEADER, RECIPIENT_HEADER, SENDER_HEADER
from worker.queue.postgres import PostgresReader
from worker.samples.mail import MailSamples
from worker.samples.mail_message import sample_mail

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers" / "mail.md"
MAIL = sample_mail(bounce(), token_secret="a-key-of-the-tokens-in-the-mail") + b"\xff\x00 not text\r\n"
TRY_AGAIN = 75  # EX_TEMPFAIL: a mail server keeps the mail


def source_of(sender: MailSamples) -> Source:
    return sender.source("mail")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script as the page shows it."""
    (text,) = re.findall(r"```text\n(#!/bin/sh\n.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "bouncekeeper-pipe"
    path.write_text(text)
    path.chmod(0o755)
    return path


async def pipe(script: Path, url: str, user: str, sender: str, recipient: str) -> int:
    """Its exit code for one mail, called as Postfix calls it."""
    assert shutil.which("curl"), "the page's script needs curl"
    configuration = script.with_name("curl-config")
    configuration.write_text(f'user = "{user}"\nurl = "{url}/webhooks/mail"\n')
    process = await asyncio.create_subprocess_exec(
        script, configuration, sender, recipient, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
    )
    await process.communicate(MAIL)
    assert process.returncode is not None
    return process.returncode


async def test_a_piped_mail_is_queued_byte_for_byte_with_its_envelope(
    start_receiver: Start, postgres_writer: TallyingWriter, database_dsn: str, script: Path
) -> None:
    sender = MailSamples()
    receiver = await start_receiver(sources=[source_of(sender)], writer=postgres_writer)
    assert await pipe(script, receiver.url, sender.secret, "", "b+x@bounces.example.org") == 0
    reader = await PostgresReader.open(database_dsn)
    (envelope,) = await take_envelopes(reader, 1)
    await reader.close()
    assert envelope.body == MAIL
    assert envelope.content_type == "message/rfc822"
    assert envelope.headers == {SENDER_HEADER: "<>", RECIPIENT_HEADER: "<b+x@bounces.example.org>"}


async def test_whatever_goes_wrong_the_mail_server_tries_again(
    start_receiver: Start, postgres_writer: TallyingWriter, script: Path
) -> None:
    sender = MailSamples()
    receiver = await start_receiver(sources=[source_of(sender)], writer=postgres_writer)
    nobody = f"http://127.0.0.1:{free_port()}"
    assert await pipe(script, receiver.url, "mail:wrong", "", "b@bounces.example.org") == TRY_AGAIN
    assert await pipe(script, nobody, sender.secret, "", "b@bounces.example.org") == TRY_AGAIN
    assert postgres_writer.parcels == []


async def test_nobody_can_claim_by_http_what_only_the_mailbox_finds_out(
    start_receiver: Start, postgres_writer: TallyingWriter, database_dsn: str
) -> None:
    sender = MailSamples()
    receiver = await start_receiver(sources=[source_of(sender)], writer=postgres_writer)
    request = sender.posted(MAIL, now=now())
    claims = {DKIM_PASS_HEADER: "arf.mail.yahoo.com", DELIVERED_AT_HEADER: "2020-01-01T00:00:00+00:00"}
    status, _, _ = await receiver.post(request, "mail", **claims)
    assert status == 200
    reader = await PostgresReader.open(database_dsn)
    (envelope,) = await take_envelopes(reader, 1)
    await reader.close()
    assert not set(claims) & set(envelope.headers)
