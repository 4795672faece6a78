"""`summary` from a shell: what the next one tells, sending what is due, and what became of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.commands.shell import Shell
from tests.jobs.smtp_server import smtp_server
from tests.jobs.summaries import RECIPIENT, an_account, blocked
from worker.store.pool import WriterPool


def shell_for(folder: Path, dsn: str, port: int) -> Shell:
    configuration = (
        f'[summary]\nsmtp_host = "127.0.0.1"\nsmtp_port = {port}\nsmtp_tls = "none"\n'
        'hour = 0\nsender = "bouncekeeper@shop.example"\n'
    )
    return Shell(folder=folder, dsn=dsn, configuration=configuration)


async def test_the_next_summary_is_shown_sent_once_and_shown_again(
    pool: WriterPool, database_dsn: str, tmp_path: Path
) -> None:
    await an_account(pool, zone="UTC")
    now = datetime.now(UTC)
    await blocked(pool, "gone@example.org", at=now - timedelta(days=1))
    async with smtp_server() as smtp:
        shell = shell_for(tmp_path, database_dsn, smtp.port)

        before = await shell.run("summary", "--json")
        sent = await shell.run("summary", "--send")
        again = await shell.run("summary", "--send", "--json")

    told = json.loads(before.output)
    assert (told["made_at"], told["approved"], told["mails"]) == (None, 1, [])
    assert "- gone@example.org" in told["text"]
    assert sent.status == 0
    assert "- gone@example.org" in sent.output
    assert f"{RECIPIENT}: accepted, attempt 1, " in sent.output
    assert [mail["To"] for mail in smtp.accepted] == [RECIPIENT]
    shown = json.loads(again.output)
    assert [(mail["recipient"], mail["state"]) for mail in shown["mails"]] == [(RECIPIENT, "accepted")]
    of_the_day = json.loads((await shell.run("summary", "--date", shown["local_date"], "--json")).output)
    assert of_the_day == shown
    assert "gone@" not in sent.errors


async def test_nothing_to_tell_ends_with_one_and_mistakes_name_their_remedy(
    pool: WriterPool, database_dsn: str, tmp_path: Path
) -> None:
    await an_account(pool)
    shell = Shell(folder=tmp_path, dsn=database_dsn)

    nothing = await shell.run("summary")
    unset = await shell.run("summary", "--send")
    unknown = await shell.run("summary", "--account", "nosuch")
    odd = await shell.run("summary", "--date", "yesterday")

    assert (nothing.status, nothing.output) == (
        1,
        "nothing to tell: no request was decided for the next summary of default\n",
    )
    assert "summary.smtp_host is not set" in unset.errors
    assert "There is no account 'nosuch'" in unknown.errors
    assert "'yesterday' is no date" in odd.errors
    assert 0 not in {unset.status, unknown.status, odd.status}
