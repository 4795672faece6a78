"""What an operator should know of a source in which nothing is wrong."""

from msgspec import Struct


class Remark(Struct, frozen=True, kw_only=True):
    """One thing, as `doctor` shows it."""

    what: str  # what of the source it is about: "description of shop"
    detail: str
    remedy: str = ""  # "" where all is well
