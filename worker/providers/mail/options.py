"""The options of all sources of mail.

`token_secrets`: the keys of our own tokens, several while one is being replaced. They may be read from files
(`token_secrets_files`), and are not among `secrets`, which the program that posts the mail knows.
`bounce_domain`, `verp_separator`: the domain to which bounces come back, and what divides a local part:
`b+…@bounce_domain`.
`known_reporters`: the reporters whose DKIM signature proves a complaint; "defaults" is the table of known loops.
`report_addresses`: the addresses to which the loops send. A report that is believed for its signature must be addressed
to one of them. Without any, only what the reporter wrote is believed, not the mail that the report returns.
`authentication_results_from`: the authserv-ids of the operator's own servers (RFC 8601).
`accept_reports`: "verified", or "all" if the operator knows that nothing forged reaches the source.
"""

from typing import Any

from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.source_options import Form, Option, checked_elsewhere
from worker.providers.mail.known_reporters import DEFAULTS, KNOWN_REPORTERS

SHORTEST_TOKEN_SECRET = 16

_SEPARATORS = ("+", "-", "=", "_", ".", "/", "#")


def _values(value: object) -> list[str | Secret]:
    return [item for item in value if isinstance(item, (str, Secret))] if isinstance(value, (list, tuple)) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item.strip() for item in _values(value) if isinstance(item, str) and item.strip())


def _lower_texts(value: object) -> frozenset[str]:
    return frozenset(text.lower() for text in _texts(value))


def _text(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _secrets(value: object) -> tuple[Secret, ...]:
    return tuple(secret if isinstance(secret, Secret) else Secret(secret) for secret in _values(value))


def _reporters(value: object) -> tuple[str, ...]:
    return tuple(
        entry for name in _texts(value) for entry in (KNOWN_REPORTERS if name == DEFAULTS else (name.lower(),))
    )


_NOBODY: frozenset[str] = frozenset()
_NO_SECRETS: tuple[Secret, ...] = ()
TOKEN_SECRETS = checked_elsewhere("token_secrets", _NO_SECRETS, _secrets, form=Form.SECRETS)
BOUNCE_DOMAIN = checked_elsewhere("bounce_domain", "", _text)
VERP_SEPARATOR = checked_elsewhere("verp_separator", "+", _text)
KNOWN = checked_elsewhere("known_reporters", KNOWN_REPORTERS, _reporters)
REPORT_ADDRESSES = checked_elsewhere("report_addresses", _NOBODY, _lower_texts)
RESULTS_FROM = checked_elsewhere("authentication_results_from", _NOBODY, _lower_texts)
ACCEPTS_ALL = checked_elsewhere("accept_reports", False, lambda value: value == "all")  # noqa: FBT003 - the default

_LISTS = (TOKEN_SECRETS, KNOWN, REPORT_ADDRESSES, RESULTS_FROM)
_TEXTS = (BOUNCE_DOMAIN, VERP_SEPARATOR, ACCEPTS_ALL)
MAIL_OPTIONS: tuple[Option[Any], ...] = (*_LISTS, *_TEXTS)  # check_mail_options reports their mistakes


class MailOptions(Struct, frozen=True, kw_only=True):
    """The options of one source."""

    token_secrets: tuple[Secret, ...] = ()
    bounce_domain: str = ""
    verp_separator: str = "+"
    known_reporters: tuple[str, ...] = KNOWN_REPORTERS
    report_addresses: frozenset[str] = frozenset()
    authentication_results_from: frozenset[str] = frozenset()
    accepts_all: bool = False


def read_mail_options(source: Source) -> MailOptions:
    """The source's options. Unusable values count as missing; check_mail_options reports them."""
    return MailOptions(
        token_secrets=TOKEN_SECRETS.of(source),
        bounce_domain=BOUNCE_DOMAIN.of(source).lower(),
        verp_separator=VERP_SEPARATOR.of(source),
        known_reporters=KNOWN.of(source),
        report_addresses=REPORT_ADDRESSES.of(source),
        authentication_results_from=RESULTS_FROM.of(source),
        accepts_all=ACCEPTS_ALL.of(source),
    )


def check_mail_options(source: Source, *, verifies_dkim: bool = False) -> list[str]:
    """The mistakes in the source's options, each with its remedy.

    `verifies_dkim`: signatures are verified here, or by the vendor.
    """
    options = source.options
    problems = [
        f'{option.name} must be a list of texts: {option.name} = ["…"]'
        for option in _LISTS
        if option.name in options and not _is_list(options[option.name])
    ]
    problems += [
        f'{option.name} must be a text: {option.name} = "…"'
        for option in _TEXTS
        if option.name in options and not isinstance(options[option.name], str)
    ]
    if problems:
        return problems
    read = read_mail_options(source)
    problems += _check_values(options, read)
    believes_signatures = bool(read.known_reporters) and (verifies_dkim or bool(read.authentication_results_from))
    if not (read.accepts_all or read.token_secrets or believes_signatures):
        problems.append(
            "no report could ever be accepted here: give token_secrets (or token_secrets_files), the keys of the "
            "tokens in your mail; or authentication_results_from, the name by which your mail server signs its "
            'Authentication-Results; or say accept_reports = "all" when nothing forged reaches this source'
        )
    return problems


def _check_values(options: dict[str, Any], read: MailOptions) -> list[str]:
    problems = []
    if any(len(secret.reveal()) < SHORTEST_TOKEN_SECRET for secret in read.token_secrets):
        problems.append(
            f"one of token_secrets has fewer than {SHORTEST_TOKEN_SECRET} characters: "
            "make one with openssl rand -hex 32"
        )
    if options.get("accept_reports", "verified") not in ("verified", "all"):
        problems.append(f'accept_reports = {options["accept_reports"]!r} is not known: use "verified" or "all"')
    if read.verp_separator not in _SEPARATORS:
        problems.append(f"verp_separator = {read.verp_separator!r}: use one of {' '.join(_SEPARATORS)}")
    if read.bounce_domain and ("@" in read.bounce_domain or "." not in read.bounce_domain):
        problems.append(
            f"bounce_domain = {options['bounce_domain']!r} is no domain: write what stands after the @ of your "
            "envelope sender"
        )
    problems += [
        f"known_reporters: {entry!r} is neither a domain nor an address: write arf.mail.yahoo.com, or {DEFAULTS!r} "
        "for all known ones"
        for entry in read.known_reporters
        if "." not in entry.rpartition("@")[2]
    ]
    problems += [
        f"report_addresses: {address!r} is no address: write the mailbox that you registered with the feedback loops"
        for address in sorted(read.report_addresses)
        if "@" not in address
    ]
    return problems


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, (str, Secret)) for item in value)
