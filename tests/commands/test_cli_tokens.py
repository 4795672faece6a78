"""`tokens` from a shell: a text that is shown once and works at once, listed without it, revoked by a person."""

import getpass
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.api.serving import api_on, serving
from tests.commands.shell import Shell
from worker.store.pool import Pool


@pytest.fixture
async def url(pool: Pool) -> AsyncIterator[str]:
    app = api_on(pool, source_accounts=("shop-eu",))
    async with serving(app) as address:
        yield address


async def status(url: str, token: str, account: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    question = {"addresses": [], "account": account}
    async with ClientSession(url, headers=headers) as client, client.post("/v1/check", json=question) as response:
        return response.status


async def test_the_text_of_a_token_is_all_that_is_printed_and_it_is_valid_at_once(shell: Shell, url: str) -> None:
    made = await shell.run("tokens", "create", "crm", "--account", "shop-eu")
    text = made.output.strip()
    assert (made.status, made.output) == (0, f"{text}\n")
    assert text not in made.errors
    assert [await status(url, text, account) for account in ("shop-eu", "shop-us")] == [200, 422]
    [line] = [json.loads(line) for line in made.errors.splitlines() if "token.created" in line]
    assert (line["token"], line["account"], line["role"], line["actor"]) == (
        "crm",
        "shop-eu",
        "reader",
        getpass.getuser(),
    )

    listed = await shell.run("tokens", "list", "--json")
    assert text not in listed.output
    [token] = json.loads(listed.output)["tokens"]
    assert (token["name"], token["account"], token["role"]) == ("crm", "shop-eu", "reader")
    assert text.startswith(token["prefix"])

    revoked = await shell.run("tokens", "revoke", "crm", "--json")
    assert json.loads(revoked.output) == {"dry_run": False, "revoked": ["crm"], "unknown": []}
    assert json.loads((await shell.run("tokens", "list", "--json")).output)["tokens"] == []
    [old] = json.loads((await shell.run("tokens", "list", "--all", "--json")).output)["tokens"]
    assert old["revoked_by"] == getpass.getuser()


async def test_a_dry_run_revokes_nothing_and_ids_are_names_too(shell: Shell) -> None:
    made = json.loads((await shell.run("tokens", "create", "crm", "--all-accounts", "--json")).output)
    assert made["token"].startswith("bk_")
    assert made["account"] is None
    dry = await shell.run("tokens", "revoke", "crm", "--dry-run")
    assert dry.output == f"would revoke crm ({made['prefix']}…)\n"
    assert len(json.loads((await shell.run("tokens", "list", "--json")).output)["tokens"]) == 1
    assert (await shell.run("tokens", "revoke", str(made["id"]))).output == f"revoked crm ({made['prefix']}…)\n"


@pytest.mark.slow
async def test_what_is_wrong_is_reported_with_its_remedy_and_prints_no_token(shell: Shell) -> None:
    await shell.run("tokens", "create", "crm", "--all-accounts", "--role", "operator")
    await shell.run("accounts", "add", "shop-us")
    for words, expected, told in (
        (("create", "crm", "--all-accounts"), 1, "there is a valid token 'crm' already"),
        (("create", "shop", "--account", "shop_us"), 1, "there is no account 'shop_us': did you mean shop-us?"),
        (("create", "shop"), 2, "one of the arguments --account --all-accounts is required"),
        (("create", "shop", "--all-accounts", "--role", "owner"), 2, "invalid choice: 'owner'"),
        (("create", " ", "--all-accounts"), 2, "cannot be the name of a token"),
        (("revoke", "crn"), 1, "there is no valid token 'crn': did you mean crm?"),
    ):
        outcome = await shell.run("tokens", *words)
        assert (outcome.status, told in outcome.output + outcome.errors) == (expected, True), outcome
        assert "bk_" not in outcome.output


async def test_doctor_says_what_a_token_of_the_configuration_may_do(tmp_path: Path, database_dsn: str) -> None:
    shell = Shell(folder=tmp_path, dsn=database_dsn, configuration=f'[api]\ntokens = ["{"t" * 32}"]\n')
    findings = json.loads((await shell.run("doctor", "--json")).output)["findings"]
    [finding] = [finding for finding in findings if finding["what"] == "api tokens"]
    assert finding["level"] == "note"
    assert "administrator of all accounts" in finding["detail"]
    assert "bouncekeeper tokens create" in finding["remedy"]
