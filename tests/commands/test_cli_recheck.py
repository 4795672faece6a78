"""`recheck` from a shell, against a DNS server of the test."""

import json
from datetime import timedelta
from pathlib import Path

from schemas.vocabulary import Cause, Kind
from tests.commands.shell import Shell
from tests.contacts.dns_server import dns_server
from tests.contacts.safelisting import report, status
from worker.store.pool import WriterPool

CONFIGURATION = """
[sources.eu]
provider = "sendgrid"
"""


async def test_addresses_are_checked_again_and_freed_where_their_domain_takes_mail(
    database_dsn: str, pool: WriterPool, tmp_path: Path
) -> None:
    jane, joe = "jane@mx.example", "joe@null.example"
    for address in (jane, joe):
        for days in (15, 10, 5):
            ago = timedelta(days=days)
            cause = Cause.DOMAIN_DOES_NOT_EXIST
            await report(pool, Kind.HARD_BOUNCE, cause, address=address, ago=ago, message=f"m{days}")
    async with dns_server() as server:
        shell = Shell(
            folder=tmp_path,
            dsn=database_dsn,
            configuration=f'{CONFIGURATION}[recheck]\ndns = true\nnameservers = ["127.0.0.1:{server.port}"]\n',
        )
        rehearsed = await shell.run("recheck", jane, "--dry-run")
        assert (rehearsed.status, (await status(pool, jane))[0]) == (0, "blocklisted")
        done = await shell.run("recheck", jane, joe, jane, "none")
        again = json.loads((await shell.run("recheck", joe, "--json")).output)

    assert rehearsed.output.startswith(
        f"{jane}: The domain mx.example takes mail now. That ends the block. It would be"
    )
    assert done.status == 1
    assert done.output.splitlines()[:2] == [
        f"{jane}: The domain mx.example takes mail now. That ends the block. Freed.",
        f"{joe}: The domain null.example says that it takes no mail.",
    ]
    assert done.output.splitlines()[-2:] == ["none: This is not an e-mail address.", "  Correct it."]
    assert (await status(pool, jane), (await status(pool, joe))[0]) == (("new", "none"), "blocklisted")
    (result,) = again["results"]
    assert (result["freed"], result["domain"]["state"]) == (False, "takes_no_mail")
    assert result["contact"]["safelist"]["possible"]


async def test_settings_that_cannot_be_are_told_with_their_remedy(database_dsn: str, tmp_path: Path) -> None:
    wrong = '[recheck]\nnameservers = ["dns.example"]\nfrees = ["domain_does_not_exists", "content"]\n'
    shell = Shell(folder=tmp_path, dsn=database_dsn, configuration=wrong)

    outcome = await shell.run("recheck", "jane@example.org")

    assert outcome.status == 3
    assert "recheck.nameservers holds 'dns.example': write an IP address" in outcome.errors
    assert "did you mean domain_does_not_exist?" in outcome.errors
    assert "recheck.frees holds 'content'" in outcome.errors
