"""`mail-token`: makes tokens. A mail's bounce or complaint names its recipient by the token, and is believed."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from schemas.address import normalise_address
from schemas.source import Source
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.named_addresses import holds_no_address
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import add_shared_flags, settings_of
from worker.errors import ImpossibleSetting
from worker.providers.mail.mail_token import holds_token, make_token, make_verp_sender, read_token
from worker.providers.mail.options import MailOptions, read_mail_options
from worker.providers.mail.proof import TOKEN_HEADER

_NEEDS = ("sources",)
_TOKEN_FIELD = TOKEN_HEADER.title()
_NO_ADDRESS = "this is not an e-mail address"
_REMEDY = (
    'give a source of mail token_secrets = ["…"], made with `openssl rand -hex 32` (docs/mail.md), or name another '
    "with --source"
)


class MailMarks(Struct, frozen=True, kw_only=True):
    """The token, envelope sender and header fields for one mail."""

    address: str
    token: str
    envelope_sender: str | None  # None without bounce_domain, or if it would be too long for a local part
    headers: dict[str, str]


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Makes the token for a mail. By the token a bounce or complaint names the recipient and proves that the mail was
yours. Prints, ready to paste, the token, the envelope sender (if the source has a bounce_domain), and header
lines. They depend only on the first of the source's token_secrets and the address; nothing is stored or sent.
Put the envelope sender and one of the header lines into the mail.

- reads addresses from standard input, one per line; your own id of the message may follow after a tab. With --json
there is one line of JSON for each. --read shows what a token holds and whether it is genuine: give it the token, or
any text with a token in it.

Exit code 1 if a text is not an address or a token is not genuine; 2 if standard input holds no address; 3 if no
source has a key.

examples:
  bouncekeeper mail-token jane@example.org
  bouncekeeper mail-token jane@example.org --source reports --account shop-7 --message-id order-4711
  cut -d, -f1 recipients.csv | bouncekeeper mail-token - --json
  bouncekeeper mail-token --read 'b+bk1g7zzxiekyzvmne32d6haq36jg3hdcrho@bounce.example.com'
"""
    parser.add_argument(
        "addresses", nargs="*", metavar="ADDRESS", help="the mail's recipient; - reads them from standard input"
    )
    parser.add_argument(
        "--source", metavar="NAME", help="the source whose keys to use (default: the only one with keys)"
    )
    parser.add_argument("--account", help="the account for which reports count (default: the source's)")
    parser.add_argument("--message-id", metavar="ID", help="your own id of the message, shown with each event")
    parser.add_argument("--read", metavar="TEXT", help="shows what the token in this text holds; - reads a whole mail")
    add_shared_flags(parser)


def _run(arguments: Namespace) -> int:
    if (arguments.read is None) == (not arguments.addresses):
        print("bouncekeeper mail-token: give addresses, or --read TEXT", file=sys.stderr)  # noqa: T201 - as usage errors
        return ExitCode.USAGE
    sources = _with_keys(settings_of(arguments, needs=_NEEDS).sources, arguments.source)
    if arguments.read is not None:
        return _read(arguments, sources)
    if len(sources) > 1:
        raise ImpossibleSetting(
            f"several sources have token_secrets: {', '.join(source.name for source in sources)}: choose the one that "
            "receives the bounces and complaints, with --source"
        )
    well = True
    for index, (address, message_id) in enumerate(_read_addresses(arguments)):
        marks = make_marks(sources[0], address, account=arguments.account, message_id=message_id)
        well = well and marks is not None
        if arguments.json:
            _print_whole(msgspec.json.encode(marks or {"address": address, "problem": _NO_ADDRESS}).decode())
        elif marks is None:
            print_line(f"{address}: {_NO_ADDRESS}", style="bold red")
        else:
            _print(marks, read_mail_options(sources[0]), first=index == 0)
    return ExitCode.OK if well else ExitCode.NO


def make_marks(source: Source, address: str, *, account: str | None, message_id: str | None) -> MailMarks | None:
    """The marks for a mail to the address, by this source's first key; None if it is not an address."""
    options = read_mail_options(source)
    normalised = normalise_address(address)
    if normalised is None:
        return None
    secret = options.token_secrets[0].reveal()
    token = make_token(normalised, secret=secret, account=account, message_id=message_id)
    sender = None
    if options.bounce_domain:
        sender = make_verp_sender(
            normalised,
            bounce_domain=options.bounce_domain,
            secret=secret,
            account=account,
            message_id=message_id,
            separator=options.verp_separator,
        )
    headers = {_TOKEN_FIELD: token}
    # The loop sends its report to this address (RFC 9477, 3.2): the registered one, else the envelope sender.
    registered = next(iter(source.options.get("report_addresses", ())), sender)
    if registered is not None:
        headers["CFBL-Address"] = f"{registered}; report=arf"
    headers["CFBL-Feedback-ID"] = token
    return MailMarks(address=normalised, token=token, envelope_sender=sender, headers=headers)


def _with_keys(sources: Sequence[Source], name: str | None) -> list[Source]:
    """The sources with token_secrets, or the one of this name. Raises ImpossibleSetting if there is none."""
    if name is not None and name not in {source.name for source in sources}:
        names = ", ".join(source.name for source in sources) or "none"
        raise ImpossibleSetting(f"there is no source {name!r}; there are: {names}")
    with_keys = [one for one in sources if name in (None, one.name) and read_mail_options(one).token_secrets]
    if not with_keys:
        raise ImpossibleSetting(f"{f'source {name} has no' if name else 'no source has'} token_secrets: {_REMEDY}")
    return with_keys


def _read_addresses(arguments: Namespace) -> Iterator[tuple[str, str | None]]:
    """Each address and the sender's id of its message, as they are read."""
    for word in arguments.addresses:
        found = False
        for line in sys.stdin if word == "-" else (word,):
            address, _, own_id = line.strip().partition("\t")
            if address:
                found = True
                yield address.strip(), own_id.strip() or arguments.message_id
        if not found:
            raise holds_no_address("standard input" if word == "-" else "an empty word")


def _print(marks: MailMarks, options: MailOptions, *, first: bool) -> None:
    if not first:
        print_line()
    print_line(marks.address, style="bold")
    _print_whole(f"token            {marks.token}")
    if marks.envelope_sender is not None:
        _print_whole(f"envelope sender  {marks.envelope_sender}")
    elif options.bounce_domain:
        print_line("envelope sender  none: the address is too long for one; use a header line")
    for name, value in marks.headers.items():
        _print_whole(f"{name}: {value}")


def _read(arguments: Namespace, sources: Sequence[Source]) -> int:
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if arguments.read == "-" else arguments.read
    for source in sources:
        keys = read_mail_options(source).token_secrets
        for number, key in enumerate(keys, 1):
            token = read_token(text, [key])
            if token is None:
                continue
            account = token.account or source.account
            if arguments.json:
                fields = msgspec.structs.asdict(token) | {"account": account}
                print_json({"genuine": True, "source": source.name, "key": number, **fields})
                return ExitCode.OK
            print_line(f"genuine: made with key {number} of {len(keys)} of source {source.name}", style="bold")
            print_line(f"address     {token.address}")
            print_line(f"account     {account}{'' if token.account else ', the one of the source'}")
            if token.message_id is not None:
                print_line(f"message id  {token.message_id}")
            return ExitCode.OK
    names = ", ".join(source.name for source in sources)
    problem = (
        f"not genuine: none of the keys of {names} made it, or it was cut short on the way"
        if holds_token(text)
        else "there is no token in this text: a token begins with bk1"
    )
    print_json({"genuine": False, "problem": problem}) if arguments.json else print_line(problem)
    return ExitCode.NO


def _print_whole(line: str) -> None:
    """Prints the line without breaks even on a terminal, so that it can be copied."""
    print(line)  # noqa: T201 - the output


COMMANDS = {"mail-token": Command(_configure, _run)}
