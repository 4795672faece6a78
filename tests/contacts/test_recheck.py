"""An address is checked again against a real DNS server and a real Postgres, and freed where a rule says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from schemas.vocabulary import Cause, Channel, Kind
from tests.contacts.dns_server import DnsServer, dns_server
from tests.contacts.safelisting import ANNA, BATCH, report, status
from worker.api.recheck_rules import recheck_rules
from worker.contacts.mail_domain import DomainLookup
from worker.contacts.recheck import RecheckAnswer, RecheckQuestion, RecheckRules, recheck_contact
from worker.settings.tree import RecheckSettings, SafelistSettings
from worker.store.pool import WriterPool


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    """The only one that is asked."""
    async with dns_server() as running:
        yield running


def rules(server: DnsServer | None, **settings: Any) -> RecheckRules:
    """Those of an installation that asks this server; None: it asks nobody."""
    if server is not None:
        settings = {"dns": True, "nameservers": (f"127.0.0.1:{server.port}",), "timeout_seconds": 2.0} | settings
    return recheck_rules(RecheckSettings(**settings), SafelistSettings())


async def check(pool: WriterPool, address: str, with_rules: RecheckRules, **asked: Any) -> RecheckAnswer:
    question = RecheckQuestion(
        address=address,
        account="default",
        channel=asked.pop("channel", Channel.EMAIL),
        principal=ANNA,
        what="call",
        **asked,
    )
    return await recheck_contact(pool, question, batch=BATCH, rules=with_rules)


async def blocked(pool: WriterPool, address: str, cause: Cause = Cause.DOMAIN_DOES_NOT_EXIST) -> None:
    """Three hard bounces in two weeks."""
    for days in (15, 10, 5):
        await report(pool, Kind.HARD_BOUNCE, cause, address=address, ago=timedelta(days=days), message=f"m{days}")


@pytest.mark.parametrize(
    ("domain", "state", "hosts"),
    [
        ("mx.example", "takes_mail", ("mail.mx.example", "backup.mx.example")),
        ("bare.example", "takes_mail", ("bare.example",)),
        ("bare6.example", "takes_mail", ("bare6.example",)),
        ("null.example", "takes_no_mail", ()),
        ("text.example", "does_not_exist", ()),
        ("nosuch.example", "does_not_exist", ()),
        ("broken.example", "unknown", ()),
        ("[192.0.2.7]", "unknown", ()),
        ("a" * 64 + ".example", "does_not_exist", ()),
        ("a..example", "does_not_exist", ()),
    ],
)
async def test_the_dns_says_whether_a_domain_takes_mail(
    server: DnsServer, domain: str, state: str, hosts: tuple[str, ...]
) -> None:
    lookup = rules(server).lookup
    assert lookup is not None
    answer = await lookup.ask(domain)
    assert (answer.state, answer.hosts) == (state, hosts)


async def test_a_silent_nameserver_is_waited_for_no_longer_than_the_setting_says(server: DnsServer) -> None:
    """Also by those who wait for their turn."""
    lookup = DomainLookup(timeout_seconds=0.4, at_once=1, nameservers=[("127.0.0.1", server.port)])
    started = time.monotonic()
    answers = await asyncio.gather(*(lookup.ask("silent.example") for _ in range(5)))
    assert time.monotonic() - started < 2
    assert {answer.state for answer in answers} == {"unknown"}
    assert "0.4 s" in answers[-1].detail
    assert (await lookup.ask("mx.example")).state == "takes_mail"


async def test_a_contact_whose_domain_takes_mail_again_is_freed_and_the_history_says_by_whom(
    pool: WriterPool, server: DnsServer
) -> None:
    jane = "jane@mx.example"
    await blocked(pool, jane)
    assert (await status(pool, jane))[0] == "blocklisted"

    answer = await check(pool, jane, rules(server))

    assert (answer.freed, answer.sentence) == (True, "The domain mx.example takes mail now. That ends the block.")
    assert await status(pool, jane) == ("new", "none")
    assert answer.contact is not None
    assert answer.contact.forbids == ()
    line = await pool.fetchrow("SELECT actor, note FROM status_changes ORDER BY id DESC")
    assert tuple(line or ()) == (
        "recheck rules",
        "checked again by anna: the domain takes mail now (mail.mx.example, backup.mx.example)",
    )
    assert answer.contact.decisions[0].origin == "rule"
    act = await pool.fetchrow("SELECT actor, subject FROM acts WHERE id = $1", answer.act_id)
    assert tuple(act or ()) == ("anna", "recheck")


async def test_a_freed_contact_is_blocked_again_by_later_events(pool: WriterPool, server: DnsServer) -> None:
    await blocked(pool, "jane@mx.example")
    await check(pool, "jane@mx.example", rules(server))

    await report(
        pool,
        Kind.HARD_BOUNCE,
        Cause.MAILBOX_DOES_NOT_EXIST,
        address="jane@mx.example",
        message="m9",
        ago=timedelta(seconds=-1),
    )

    assert (await status(pool, "jane@mx.example"))[0] == "blocklisted"


@pytest.mark.parametrize(
    ("domain", "sentence", "remedy"),
    [
        ("null.example", "says that it takes no mail", "Correct the address"),
        ("nosuch.example", "does not exist", "Correct the address"),
        ("broken.example", "is not known now", "Ask again later."),
    ],
)
async def test_a_contact_whose_domain_takes_no_mail_stays_blocked(
    pool: WriterPool, server: DnsServer, domain: str, sentence: str, remedy: str
) -> None:
    await blocked(pool, f"jane@{domain}")

    answer = await check(pool, f"jane@{domain}", rules(server))

    assert (answer.freed, sentence in answer.sentence, remedy in (answer.remedy or "")) == (False, True, True)
    assert (await status(pool, f"jane@{domain}"))[0] == "blocklisted"
    assert await pool.fetchval("SELECT count(*) FROM acts") == 0


async def test_what_the_domain_has_no_say_in_is_not_ended_and_the_answer_says_what_does(
    pool: WriterPool, server: DnsServer
) -> None:
    jane = "jane@mx.example"
    await blocked(pool, jane)
    await report(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, address=jane)

    answer = await check(pool, jane, rules(server))

    assert (answer.freed, await status(pool, jane)) == (False, ("complained", "all"))
    assert "That does not end the complaint." in answer.sentence
    assert answer.contact is not None
    assert (answer.contact.safelist.possible, answer.contact.safelist.wish_needed) == (True, True)


async def test_who_wants_no_contact_is_not_to_be_asked_for_an_address(pool: WriterPool, server: DnsServer) -> None:
    await report(pool, Kind.FORBIDS_CONTACT, Cause.NONE, address="jane@nosuch.example")
    answer = await check(pool, "jane@nosuch.example", rules(server))
    assert answer.remedy is not None
    assert "ask the person" not in answer.remedy
    assert "opt-in" in answer.remedy


async def test_a_mailbox_that_is_gone_is_not_freed_by_its_domain(pool: WriterPool, server: DnsServer) -> None:
    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, address="jane@mx.example")

    answer = await check(pool, "jane@mx.example", rules(server))

    assert (answer.freed, answer.domain.state) == (False, "takes_mail")
    assert answer.contact is not None
    assert answer.contact.safelist.possible


async def test_an_installation_may_free_nothing_or_not_ask_the_dns(pool: WriterPool, server: DnsServer) -> None:
    await blocked(pool, "jane@mx.example")

    kept = await check(pool, "jane@mx.example", rules(server, frees=()))
    unasked = await check(pool, "jane@mx.example", rules(None))

    assert (kept.freed, kept.domain.state) == (False, "takes_mail")
    assert (unasked.freed, unasked.domain.state) == (False, "not_asked")
    assert unasked.sentence == "The DNS was not asked. So the block stays."
    assert server.asked == ["mx.example"]


async def test_a_dry_run_says_that_it_would_be_freed_and_changes_nothing(pool: WriterPool, server: DnsServer) -> None:
    await blocked(pool, "jane@mx.example")

    answer = await check(pool, "jane@mx.example", rules(server), dry_run=True)

    assert (answer.freed, answer.act_id) == (True, None)
    assert (await status(pool, "jane@mx.example"))[0] == "blocklisted"


async def test_a_text_that_is_no_address_and_one_of_whom_nothing_is_known_are_told(
    pool: WriterPool, server: DnsServer
) -> None:
    wrong = await check(pool, "jane at mx.example", rules(server))
    assert (wrong.is_address, wrong.sentence, wrong.contact) == (False, "This is not an e-mail address.", None)
    new = await check(pool, "new@mx.example", rules(server))
    assert (new.is_address, new.contact, new.remedy) == (True, None, "Mail it.")
    phone = await check(pool, "+491701234567", rules(server), channel=Channel.SMS)
    assert phone.domain.state == "not_asked"
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_checked_many_times_at_once_a_contact_is_freed_once(pool: WriterPool, server: DnsServer) -> None:
    await blocked(pool, "jane@mx.example")

    answers = await asyncio.gather(*(check(pool, "jane@mx.example", rules(server)) for _ in range(6)))

    assert sum(answer.freed for answer in answers) == 1
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE act_id IS NOT NULL") == 1
