"""What `doctor` looks at in each source: its keys, the vendor it describes, what it believes, its mailbox."""

import asyncio
from datetime import UTC, datetime, timedelta

from schemas.source import Source
from worker.commands.support.finding import Finding, note, well, wrong
from worker.commands.support.output import moment
from worker.errors import BouncekeeperError
from worker.providers.mail.imap_options import ImapMailbox, imap_mailbox
from worker.settings.tree import Settings

# Whoever is fetched from has no mail that is older, unless it waits for the DNS or is too large.
_PATIENCE = timedelta(hours=1)
_TELLING_KINDS = {"bounce", "hard_bounce", "soft_bounce", "dropped", "complaint", "unsubscribe"}


async def look_at_sources(settings: Settings) -> list[Finding]:
    """Each source, then the mailboxes and the DNS; what makes a source impossible was told with the settings."""
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
        remedy = 'give it a secret and take authentication = "none" out'
        findings = [note(what, "is open: anybody may post", remedy)]
    else:
        ways = [f"{len(source.secrets)} secret{'s' * (len(source.secrets) != 1)}"] if source.secrets else []
        ways += ["fetched from a mailbox"] if imap_mailbox(source) is not None else []
        findings = [well(what, ", ".join([source.provider, *(ways or ["no secret of its own"])]))]
    return [*findings, *_look_at_description(source), *_look_at_mail(source)]


def _look_at_description(source: Source) -> list[Finding]:
    if source.provider != "described":
        return []
    from worker.providers.described.description import compile_description  # noqa: PLC0415 - costs time that --help has not

    description = compile_description(str(source.options.get("description"))).description
    what = f"description of {source.name}"
    findings = [well(what, f"{description.title or description.name}, events: {len(description.events)}")]
    if not any(meaning.kind in _TELLING_KINDS for meaning in description.events.values()):
        findings.append(
            note(
                what,
                "none of its [events] is a bounce, a complaint or an unsubscribe: it can block nobody",
                "name the vendor's events for them, and try one with `bouncekeeper sources try`",
            )
        )
    if not description.fields.occurred_at:
        findings.append(
            note(
                what,
                "tells no time of an event: each counts for when it came in",
                "name the field as occurred_at in [fields], if the vendor tells it",
            )
        )
    return findings


def _look_at_mail(source: Source) -> list[Finding]:
    """What reports a source of mail believes; one that could believe none was told with the settings."""
    from worker.providers.mail.mail_provider import MailProvider  # noqa: PLC0415 - costs time that --help has not
    from worker.providers.mail.options import read_mail_options  # noqa: PLC0415 - as above
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - as above

    provider = PROVIDERS[source.provider]
    if not isinstance(provider, MailProvider):
        return []
    what, options = f"reports to {source.name}", read_mail_options(source)
    if options.accepts_all:
        remedy = 'fine if nothing forged can reach it; else give it token_secrets and take accept_reports = "all" out'
        return [note(what, "all are believed, whoever wrote them", remedy)]
    verifies = bool(options.known_reporters) and (
        provider.believes_dkim(source) or bool(options.authentication_results_from)
    )
    signed = f"signatures of {len(options.known_reporters)} known reporters"
    if not options.token_secrets:
        return [
            note(
                what,
                f"are believed for {signed} alone: bounces, which hardly any server signs, change nothing",
                "give it token_secrets, and your mail the tokens that `bouncekeeper mail-token` makes",
            )
        ]
    keys = f"tokens of {len(options.token_secrets)} key{'s' * (len(options.token_secrets) != 1)}"
    return [well(what, f"are believed for {keys}{f', or {signed}' if verifies else ''}")]


async def look_at_mailbox(name: str, mailbox: ImapMailbox, *, timeout_seconds: float) -> Finding:
    """Whether it lets us in, has its folders, and is being emptied. Changes nothing in it."""
    from worker.mailbox.fetching import waiting_in_short  # noqa: PLC0415 - costs time that --help has not

    what = f"mailbox of {name}"
    try:
        waiting = await waiting_in_short(mailbox, timeout_seconds=timeout_seconds)
    except BouncekeeperError as error:
        return wrong(what, str(error), "then see `bouncekeeper mailbox --dry-run`")
    said = f"{mailbox.place}, mails that wait: {waiting.mails}"
    if waiting.oldest_at is not None and datetime.now(UTC) - waiting.oldest_at > _PATIENCE:
        remedy = "see that `bouncekeeper mailbox` (or `up`) runs, and its log; too large mail stays where it is"
        return note(what, f"{said}, the first since {moment(waiting.oldest_at)}", remedy)
    return well(what, said)


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
