"""A remark: something that an operator should know about a source without mistakes."""

from msgspec import Struct


class Remark(Struct, frozen=True, kw_only=True):
    """One remark, as `doctor` shows it."""

    what: str  # the subject: "description of shop"
    detail: str
    remedy: str = ""  # "" if all is well
