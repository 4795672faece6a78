"""What commands about one contact share: how it is named, and what is said of one that is not known."""

from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.vocabulary import Channel, System
from worker.commands.support.act_flags import add_account_flags
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.report import ContactReport
    from worker.store.pool import Pool

_ACCOUNTS_TOLD = 5


def add_contact_arguments(parser: ArgumentParser) -> None:
    """The address, its account and channel, and whose names of statuses are told."""
    parser.add_argument("address", metavar="ADDRESS", help="whose status")
    add_account_flags(parser, reached="how it is reached; on sms the address is a phone number such as +491701234567")
    add_names_argument(parser)


def add_names_argument(parser: ArgumentParser) -> None:
    """Whose names of statuses are told beside ours."""
    parser.add_argument(
        "--names", choices=[system.value for system in System], help="also tell what this system calls the status"
    )


def asked_names(arguments: Namespace) -> System | None:
    """Whose names were asked for."""
    return None if arguments.names is None else System(arguments.names)


async def report_of(
    pool: "Pool", settings: Settings, address: str, arguments: Namespace, *, now: datetime
) -> "ContactReport | None":
    """The contact's report; None if the account does not know it. Raises RequestRefused, StoreUnavailable."""
    from worker.commands.support.account import require_account  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415
    from worker.contacts.report import contact_report  # noqa: PLC0415 - all of these cost time that --help has not
    from worker.settings.safelist import configured_rules  # noqa: PLC0415

    await require_account(pool, settings, arguments.account)
    return await contact_report(
        pool,
        address,
        policies=Policies(settings.policy),
        now=now,
        account=arguments.account,
        channel=Channel(arguments.channel),
        names=asked_names(arguments),
        limits=configured_rules(settings.safelist).limits,
    )


def no_address(arguments: Namespace) -> str:
    """What is said of a text that is no address, behind it."""
    return f"is not an address of channel {arguments.channel}"


async def not_known(pool: "Pool", address: str, arguments: Namespace) -> str:
    """What is said of an address that the account does not know, behind it. Raises StoreUnavailable."""
    from worker.store.contact_lookup import find_elsewhere  # noqa: PLC0415 - costs time that --help has not

    channel = Channel(arguments.channel)
    elsewhere = await find_elsewhere(pool, [address], account=arguments.account, channel=channel, limit=_ACCOUNTS_TOLD)
    if not elsewhere:
        return "is not known: nobody ever reported anything about it"
    others = ", ".join(key.account for key in elsewhere)
    return f"is not known in account {arguments.account}, but in {others}: name that account with --account"
