"""The name of a list or group on the command line."""

from argparse import ArgumentTypeError

from schemas.list_name import fault_of_list_name, normalise_list_name


def list_argument(text: str) -> str:
    """The name in its one spelling. Raises ArgumentTypeError."""
    if (fault := fault_of_list_name(text)) is not None:
        raise ArgumentTypeError(f"the name {fault}: name the list or group, or leave the flag out")
    return normalise_list_name(text)
