"""What commands about one contact share: how it is named, and what is said of one that is not known."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from schemas.vocabulary import Channel

if TYPE_CHECKING:
    from worker.policy.other_names import System
    from worker.store.pool import Pool

_ACCOUNTS_TOLD = 5
# Those of worker.policy.other_names.System, which costs time that --help has not.
SYSTEM_NAMES = ("kartra", "kartra_leads", "keap", "emailmassivo", "yespo")


def add_contact_arguments(parser: ArgumentParser) -> None:
    """The address, its account and channel, and whose names of statuses are told."""
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("--account", default="default", help="(default %(default)s)")
    parser.add_argument(
        "--channel",
        choices=[channel.value for channel in Channel],
        default=Channel.EMAIL.value,
        help="how it is reached; on sms the address is a phone number such as +491701234567 (default %(default)s)",
    )
    add_names_argument(parser)


def add_names_argument(parser: ArgumentParser) -> None:
    """Whose names of statuses are told beside ours."""
    parser.add_argument("--names", choices=SYSTEM_NAMES, help="also tell what this system calls the status")


def asked_names(arguments: Namespace) -> "System | None":
    """Whose names were asked for."""
    from worker.policy.other_names import System  # noqa: PLC0415 - costs time that --help has not

    return None if arguments.names is None else System(arguments.names)


def no_address(arguments: Namespace) -> str:
    """What is said of a text that is no address, behind it."""
    return f"is not an address of channel {arguments.channel}"


async def not_known(pool: "Pool", address: str, arguments: Namespace) -> str:
    """What is said of an address that the account does not know, behind it. Raises StoreUnavailable."""
    from worker.store.contact_lookup import find_elsewhere  # noqa: PLC0415 - as above

    channel = Channel(arguments.channel)
    elsewhere = await find_elsewhere(pool, arguments.account, channel, [address], limit=_ACCOUNTS_TOLD)
    if not elsewhere:
        return "is not known: nobody ever reported anything about it"
    others = ", ".join(other for _, other in elsewhere)
    return f"is not known in account {arguments.account}, but in {others}: name that account with --account"
