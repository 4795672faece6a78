"""Flags of the commands that change contacts: whose contacts they are, and how the act is carried out."""

from argparse import ArgumentParser

from schemas.vocabulary import Channel


def add_account_flags(parser: ArgumentParser, *, reached: str = "how they are reached") -> None:
    """Whose contacts they are; and how they are `reached`, in words for the help."""
    parser.add_argument("--account", default="default", help="(default %(default)s)")
    parser.add_argument(
        "--channel",
        choices=[channel.value for channel in Channel],
        default=Channel.EMAIL.value,
        help=f"{reached} (default %(default)s)",
    )


def add_dry_run_flag(parser: ArgumentParser) -> None:
    """Rehearses."""
    parser.add_argument("--dry-run", action="store_true", help="says what would happen and changes nothing")


def add_idempotency_flag(parser: ArgumentParser, *, does: str) -> None:
    """`does` completes "and … nothing twice"."""
    parser.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help=f"repeating the command with the same key goes on where it was cut off, and {does} nothing twice",
    )
