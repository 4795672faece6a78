"""`mailbox`: takes reports and bounces from IMAP mailboxes into the queue."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import Any

from schemas.source import Source
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.progress_bar import progress_bar
from worker.commands.support.running import run_service
from worker.commands.support.service_needs import SERVICE_NEEDS
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import ImpossibleSetting
from worker.mailbox.mailbox_fetcher import Limits, MailboxFetcher, Tally, outcomes, waiting_mails
from worker.providers.mail.imap_options import ImapMailbox, imap_mailbox
from worker.settings.tree import Settings

_NEEDS = SERVICE_NEEDS["mailbox"]
_WORTH_A_BAR_MAILS = 100


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Takes feedback loop reports and bounces from the IMAP mailbox of each source of the provider `mail` that has an
imap_host. A mail is flagged, moved or deleted (after_fetch) only once the queue has it on disk. Runs until it is
stopped, and notices new mail at once if the server supports IDLE. If no source has a mailbox, it says so once and waits
to be stopped, because a service manager would start it again for ever.

With --once: exit code 1 if a mail is left because it is too large, the server does not deliver it or it waits for
the DNS; 3 if a server refuses the login or a folder is missing; 4 if a server or the queue cannot be reached.

examples:
  bouncekeeper mailbox --config /etc/bouncekeeper.toml
  bouncekeeper mailbox --once            all mail that is there now, for cron
  bouncekeeper mailbox --dry-run         what would be fetched
"""
    parser.add_argument("source", nargs="*", metavar="SOURCE", help="only these sources (else all that have a mailbox)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--once", action="store_true", help="takes the mail that is there now, and ends")
    mode.add_argument("--dry-run", action="store_true", help="shows what would be fetched, and changes nothing")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    needs = ("mailbox", "sources") if arguments.dry_run else _NEEDS
    settings = settings_of(arguments, needs=needs)
    mailboxes = _choose(settings, arguments.source, may_be_none=not (arguments.once or arguments.dry_run))
    if arguments.dry_run:
        return _show_waiting(mailboxes, settings, as_json=arguments.json)
    tallies: list[Tally] = []

    async def work(stop: asyncio.Event) -> None:
        await _fetch(settings, mailboxes, stop, tallies if arguments.once else None)

    run_service(settings, "mailbox", work)
    if not arguments.once:
        return ExitCode.OK
    counts = outcomes(tallies)
    if arguments.json:
        print_json(counts)
    else:
        print_line(
            f"{counts['queued']} mails queued, {counts['postponed']} wait for the DNS, "
            f"{counts['passed_over']} passed over"
        )
    return ExitCode.NO if counts["postponed"] or counts["passed_over"] else ExitCode.OK


def mailboxes_of(settings: Settings) -> list[tuple[Source, ImapMailbox]]:
    """The sources with a mailbox, each with its mailbox."""
    return [(source, mailbox) for source in settings.sources if (mailbox := imap_mailbox(source)) is not None]


def _choose(settings: Settings, names: list[str], *, may_be_none: bool) -> list[tuple[Source, ImapMailbox]]:
    mailboxes = mailboxes_of(settings)
    if unknown := sorted(set(names) - {source.name for source, _ in mailboxes}):
        raise ImpossibleSetting(
            f'source {unknown[0]} has no mailbox: it needs provider = "mail" and imap_host; '
            f"sources with a mailbox: {', '.join(source.name for source, _ in mailboxes) or 'none'}"
        )
    if not mailboxes and not may_be_none:
        raise ImpossibleSetting(
            'no source has a mailbox: give one provider = "mail", imap_host, imap_user and imap_password '
            "(docs/providers/mail.md)"
        )
    return [entry for entry in mailboxes if not names or entry[0].name in names]


def _show_waiting(mailboxes: list[tuple[Source, ImapMailbox]], settings: Settings, *, as_json: bool) -> int:
    limit = settings.mailbox.max_message_bytes
    rows: list[dict[str, Any]] = []
    for source, mailbox in mailboxes:
        waiting = asyncio.run(waiting_mails(mailbox, timeout_seconds=settings.mailbox.timeout_seconds))
        rows += [
            {
                "source": source.name,
                "uid": mail.uid,
                "delivered_at": mail.delivered_at,
                "size_bytes": mail.size_bytes,
                "would_be": "fetched"
                if mail.size_bytes <= limit
                else "passed over: larger than mailbox.max_message_bytes",
            }
            for mail in waiting
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("source", "uid", "delivered", "bytes", "would be"),
            [
                (row["source"], row["uid"], moment(row["delivered_at"]), row["size_bytes"], row["would_be"])
                for row in rows
            ],
        )
    return ExitCode.OK


async def fetch_beside_others(settings: Settings, stop: asyncio.Event) -> None:
    """Fetches for all sources with a mailbox, beside other services. Returns at once if there are none."""
    if mailboxes := mailboxes_of(settings):
        await _fetch(settings, mailboxes, stop, None, ends_when_refused=False)


async def _fetch(
    settings: Settings,
    mailboxes: list[tuple[Source, ImapMailbox]],
    stop: asyncio.Event,
    once: list[Tally] | None,
    *,
    ends_when_refused: bool = True,
) -> None:
    from worker.mailbox.dkim_check import dns_lookup  # noqa: PLC0415 - only what this process needs
    from worker.mailbox.service import keep_fetching  # noqa: PLC0415 - as above
    from worker.queue.opening import open_writer  # noqa: PLC0415 - as above

    limits = Limits(
        timeout_seconds=settings.mailbox.timeout_seconds, max_message_bytes=settings.mailbox.max_message_bytes
    )
    look_up = dns_lookup(settings.mailbox.dns_timeout_seconds)
    writer = await open_writer(settings, ends_when_refused=once is not None)
    try:
        fetchers = [
            (source.name, MailboxFetcher(source, mailbox, writer=writer, look_up=look_up, limits=limits))
            for source, mailbox in mailboxes
        ]
        if once is None:
            await keep_fetching(fetchers, writer, settings.mailbox, stop, ends_when_refused=ends_when_refused)
        else:
            for name, fetcher in fetchers:
                once.append(await _take_once(name, fetcher, stop))
    finally:
        await writer.close()


async def _take_once(name: str, fetcher: MailboxFetcher, stop: asyncio.Event) -> Tally:
    async def end_early() -> None:
        await stop.wait()
        fetcher.stop()

    watch = asyncio.create_task(end_early())
    try:
        with progress_bar(name, least=_WORTH_A_BAR_MAILS) as progress:
            return await fetcher.take_all(progress)
    finally:
        watch.cancel()
        await fetcher.close()


COMMANDS = {"mailbox": Command(_configure, _run)}
