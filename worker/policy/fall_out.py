"""The fall-out in words: how many addresses of a list must not be mailed, by status."""

from collections.abc import Mapping

from schemas.vocabulary import FREE_STATUSES, Status

# That nobody is among them is worth saying.
_ALWAYS_TOLD = {Status.DO_NOT_CONTACT, Status.DECLINED_COMMERCIAL, Status.COMPLAINED, Status.BLOCKLISTED}
_GRAVEST_FIRST = [status for status in Status if status not in FREE_STATUSES]


def fall_out(forbidden: Mapping[str, int]) -> str:
    """Such as "0 do not contact, 18 declined commercial, 1 complained, 3 blocklisted", the gravest first."""
    told = {status.value: forbidden.get(status, 0) for status in _GRAVEST_FIRST}
    others = {name: count for name, count in forbidden.items() if name not in told}
    return ", ".join(
        f"{count} {name.replace('_', ' ')}"
        for name, count in (*told.items(), *others.items())
        if count or name in _ALWAYS_TOLD
    )
