"""The checks of `doctor` for each source: its keys, its description, the reports it believes, its mailbox."""

import asyncio
from datetime import UTC, datetime, timedelta

from schemas.source import Source
from worker.commands.support.finding import Finding, note, well, wrong
from worker.commands.support.output import moment
from worker.errors import BouncekeeperError
from worker.providers.mail.imap_options import ImapMailbox, imap_mailbox
from worker.settings.tree import Settings

# A mailbox that is fetched has no older mail, unless it waits for the DNS or is too large.
_PATIENCE = timedelta(hours=1)


async def look_at_sources(settings: Settings) -> list[Finding]:
    """Findings on each source, then on mailboxes and DNS. Loading the settings has already refused impossible ones."""
    if not settings.sources:
        remedy = "add a [sources.NAME] table for each ESP"
        return [note("sources", "no source is configured: nothing can be received", remedy)]
    findings = [finding for source in settings.sources for finding in _look_at_source(source)]
    mailboxes = [(source.name, mailbox) for source in settings.sources if (mailbox := imap_mailbox(source)) is not None]
    timeout_seconds = settings.mailbox.timeout_seconds
    findings += await asyncio.gather(
        *(look_at_mailbox(name, mailbox, timeout_seconds=timeout_seconds) for name, mailbox in mailboxes)
    )
    if any(mailbox.verify_dkim for _, mailbox in mailboxes):
        findings.append(await look_at_dns(timeout_seconds=settings.mailbox.dns_timeout_seconds))
    return findings


def _look_at_source(source: Source) -> list[Finding]:
    what = f"source {source.name}"
    if source.authentication == "none":
        remedy = 'give it a secret and remove authentication = "none"'
        findings = [note(what, "is open: anybody may post", remedy)]
    else:
        ways = [f"{len(source.secrets)} secret{'s' * (len(source.secrets) != 1)}"] if source.secrets else []
        ways += ["fetched from a mailbox"] if imap_mailbox(source) is not None else []
        findings = [well(what, ", ".join([source.provider, *(ways or ["no secret of its own"])]))]
    return [*findings, *_remarks(source)]


def _remarks(source: Source) -> list[Finding]:
    """What its provider says of the source."""
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - costs time that --help has not

    return [
        note(remark.what, remark.detail, remark.remedy) if remark.remedy else well(remark.what, remark.detail)
        for remark in PROVIDERS[source.provider].remarks_on(source)
    ]


async def look_at_mailbox(name: str, mailbox: ImapMailbox, *, timeout_seconds: float) -> Finding:
    """Whether it lets us in, has its folders, and is being emptied. Changes nothing in it."""
    from worker.mailbox.mailbox_fetcher import waiting_in_short  # noqa: PLC0415 - costs time that --help has not

    what = f"mailbox of {name}"
    try:
        waiting = await waiting_in_short(mailbox, timeout_seconds=timeout_seconds)
    except BouncekeeperError as error:
        return wrong(what, str(error), "then see `bouncekeeper mailbox --dry-run`")
    summary = f"{mailbox.place}, mails that wait: {waiting.mails}"
    if waiting.oldest_at is not None and datetime.now(UTC) - waiting.oldest_at > _PATIENCE:
        remedy = "see that `bouncekeeper mailbox` (or `up`) runs, and its log; too large mail stays where it is"
        return note(what, f"{summary}, the first since {moment(waiting.oldest_at)}", remedy)
    return well(what, summary)


async def look_at_dns(*, timeout_seconds: float) -> Finding:
    """Whether keys of DKIM signatures can be looked up; a name that does not exist is an answer too."""
    from worker.mailbox.dkim_check import LookupFailed, dns_lookup  # noqa: PLC0415 - costs time that --help has not
    from worker.providers.mail.known_reporters import KNOWN_REPORTERS  # noqa: PLC0415 - as above

    try:
        await asyncio.to_thread(dns_lookup(timeout_seconds), KNOWN_REPORTERS[0])
    except LookupFailed as error:
        return wrong(
            "dns",
            f"does not answer: {error}",
            "correct this machine's resolvers (/etc/resolv.conf), or say imap_verify_dkim = false and rely on tokens; "
            "until then signed mail waits in its mailbox, for three days",
        )
    return well("dns", "answers: DKIM signatures of fetched mail can be verified")
