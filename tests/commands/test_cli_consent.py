"""`unsubscribe`, `decline`, `do-not-contact` and `opt-in` from a shell: what is recorded, and what staff cannot end."""

import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.shell import Shell
from worker.store.pool import WriterPool

HERE = ("--account", "shop-eu")


async def standing(pool: WriterPool) -> tuple[str, str] | None:
    row = await pool.fetchrow("SELECT status, blocks FROM contacts WHERE address = 'jane@example.org'")
    return None if row is None else (row["status"], row["blocks"])


async def detail(pool: WriterPool) -> dict[str, Any]:
    """What is stored of the last decision, beside its place."""
    row = await pool.fetchrow("SELECT scope, detail FROM entries ORDER BY occurred_at DESC LIMIT 1")
    assert row is not None
    return {"scope": row["scope"], **row["detail"]}


@pytest.mark.parametrize(
    ("words", "said", "expected", "kept"),
    [
        (("unsubscribe",), "unsubscribed: 1\n", ("unsubscribed", "marketing"), {}),
        (
            ("unsubscribe", "--scope", "news", "--by-contact", "--way", "footer_link"),
            "unsubscribed: 1\n",
            ("unsubscribed", "marketing"),
            {"scope": "news", "by_contact": True, "way": "footer_link"},
        ),
        (
            ("unsubscribe", "--by-us"),
            "unsubscribed by us: 1\n",
            ("unsubscribed_by_us", "marketing"),
            {},
        ),
        (("decline",), "recorded: 1\n", ("declined_commercial", "commercial"), {}),
        (("do-not-contact",), "recorded: 1\n", ("do_not_contact", "all"), {}),
    ],
    ids=["unsubscribe", "unsubscribe-scope", "unsubscribe-by-us", "decline", "do-not-contact"],
)
async def test_a_wish_is_recorded_with_its_reason_and_its_way(  # noqa: PLR0917 - parameters of pytest's
    shell: Shell,
    pool: WriterPool,
    words: tuple[str, ...],
    said: str,
    expected: tuple[str, str],
    kept: dict[str, Any],
) -> None:
    asked = (words[0], "jane@example.org", *words[1:], "--reason", "she called", *HERE)

    rehearsed = await shell.run(*asked, "--dry-run")
    assert (rehearsed.status, await standing(pool)) == (0, None)
    done = await shell.run(*asked)

    assert (rehearsed.output, done.output, done.status) == (f"would be {said}", said, 0)
    assert await standing(pool) == expected
    stored = await detail(pool)
    assert stored["note"] == "she called"
    assert {name: stored.get(name) for name in kept} == kept
    [line] = [json.loads(line) for line in done.errors.splitlines() if "decision.made" in line]
    assert (line["kind"], line["actor"], line["way"]) == (expected[0], getpass.getuser(), kept.get("way"))
    history = await pool.fetchrow("SELECT new_status, actor, note FROM status_changes")
    assert tuple(history or ()) == (expected[0], getpass.getuser(), "she called")


async def test_staff_cannot_end_do_not_contact_and_is_told_what_does(shell: Shell, pool: WriterPool) -> None:
    await shell.run("do-not-contact", "jane@example.org", "--reason", "her lawyer wrote", *HERE)

    lifted = await shell.run("lift", "jane@example.org", "--reason", "she is back", *HERE)
    recorded = await shell.run("opt-in", "jane@example.org", "--source", "a call", *HERE)

    assert lifted.output.splitlines() == [
        "lifted: 0, skipped: 1",
        "skipped\twhy\tinstead",
        "jane@example.org\tA lift does not end the wish never to be contacted.\tOnly a new opt-in by the person does.",
    ]
    assert recorded.output.splitlines()[2] == (
        "jane@example.org\tAn opt-in that somebody recorded does not end the wish never to be contacted."
        "\tOnly a new opt-in by the person does."
    )
    assert (lifted.status, recorded.status) == (1, 1)
    assert await standing(pool) == ("do_not_contact", "all")


async def test_a_new_opt_in_of_the_person_ends_it_and_keeps_its_proof(shell: Shell, pool: WriterPool) -> None:
    await shell.run("do-not-contact", "jane@example.org", "--reason", "her lawyer wrote", *HERE)

    done = await shell.run(
        *("opt-in", "jane@example.org", "--by-contact", "--double", "--source", "shop", "--form", "checkout 3"),
        *("--ip", "203.0.113.7", "--collected-at", "2026-01-31T12:00Z", *HERE),
    )

    assert (done.status, done.output) == (0, "opted in: 1\n")
    assert await standing(pool) == ("new", "none")
    stored = await detail(pool)
    assert (stored["by_contact"], stored["strength"]) == (True, "double")
    assert stored["proof"] == {
        "source": "shop",
        "form": "checkout 3",
        "ip_address": "203.0.113.7",
        "collected_at": "2026-01-31T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--source", " "), "proof.source"),
        (("--source", "shop", "--ip", "999.1.1.1"), "proof.ip_address"),
        (("--source", "shop", "--collected-at", "2999-01-31"), "proof.collected_at"),
        (("--source", "shop", "--form", "x" * 201), "proof.form"),
        (("--source", "shop", "--reason", " "), "note"),
    ],
)
async def test_a_proof_that_shows_nothing_is_a_wrong_command_line(
    shell: Shell, tmp_path: Path, words: tuple[str, ...], field: str
) -> None:
    members = tmp_path / "members.txt"
    members.write_text("jane@example.org\njoe@example.org\n")
    for whose in (["jane@example.org"], ["--file", str(members)]):
        done = await shell.run("opt-in", *whose, "--by-contact", *words, *HERE)
        assert (done.status, done.output) == (2, "")
        assert f"bouncekeeper: `{field}`" in done.errors


async def test_addresses_come_from_a_file_and_the_answer_as_json(
    shell: Shell, pool: WriterPool, tmp_path: Path
) -> None:
    addresses = tmp_path / "addresses.txt"
    addresses.write_text("jane@example.org\nnone\nJANE@example.org\n")

    done = await shell.run("decline", "--file", str(addresses), "--reason", "letters", "--json", *HERE)

    answer = json.loads(done.output)
    assert (answer["kind"], answer["made"], answer["skipped"], answer["duplicates"]) == ("declined_commercial", 1, 1, 1)
    assert (done.status, await standing(pool)) == (1, ("declined_commercial", "commercial"))


async def test_what_was_recorded_before_is_known(shell: Shell, pool: WriterPool) -> None:
    asked = ("unsubscribe", "jane@example.org", "--reason", "she called", *HERE)
    await shell.run(*asked)
    again = await shell.run(*asked)
    assert (again.status, again.output) == (0, "unsubscribed: 0, known before: 1\n")
    assert await pool.fetchval("SELECT count(*) FROM entries") == 1


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("unsubscribe", "jane@example.org"), 2),
        (("decline", "jane@example.org"), 2),
        (("do-not-contact", "--reason", "x"), 2),
        (("opt-in", "jane@example.org"), 2),
        (("opt-in", "jane@example.org", "--source", "x", "--double"), 2),
        (("opt-in", "jane@example.org", "--source", "x", "--collected-at", "soon"), 2),
        (("unsubscribe", "jane@example.org", "--reason", "x", "--by-us", "--by-contact"), 2),
        (("unsubscribe", "jane@example.org", "--reason", "x", "--way", "pigeon"), 2),
        (("decline", "jane@example.org", "--reason", "x", "--account", "nosuch"), 1),
    ],
)
async def test_what_cannot_be_decided_has_its_exit_code(shell: Shell, words: tuple[str, ...], exit_code: int) -> None:
    assert (await shell.run(*words)).status == exit_code
