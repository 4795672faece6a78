"""What an address that is checked again comes to, given what the DNS says of its domain now. Pure."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from schemas.vocabulary import Cause, Status
from worker.policy.dimension import Standing

_WISHES = frozenset(
    {Status.DO_NOT_CONTACT, Status.DECLINED_COMMERCIAL, Status.COMPLAINED, Status.UNSUBSCRIBED, Status.NON_MARKETABLE}
)


class DomainState(StrEnum):
    """Whether a domain takes mail. The values are sent."""

    TAKES_MAIL = "takes_mail"  # it has an MX record, or without one an address (RFC 5321, 5.1)
    TAKES_NO_MAIL = "takes_no_mail"  # a null MX (RFC 7505)
    DOES_NOT_EXIST = "does_not_exist"  # no such name, or neither MX nor address
    UNKNOWN = "unknown"  # the DNS did not answer in time, or failed
    NOT_ASKED = "not_asked"


class DomainAnswer(Struct, frozen=True, kw_only=True):
    """What the DNS said of a domain."""

    state: DomainState
    hosts: tuple[str, ...] = ()  # that take its mail, by preference
    detail: str = ""  # why it is not known


class RecheckVerdict(Struct, frozen=True, kw_only=True):
    """What follows for a contact."""

    frees: bool
    sentence: str
    remedy: str | None


def recheck(
    several: Sequence[Standing], domain: DomainAnswer, *, name: str, frees: frozenset[Cause], ways: str
) -> RecheckVerdict:
    """What follows for a contact of whom `several` standings forbid mail.

    It is freed if its domain takes mail now and each of them is for one of the causes in `frees`, and can be ended by
    an operator. `ways` is what ends the gravest one, for a person.
    """
    takes = _domain_sentence(name, domain)
    if domain.state in {DomainState.TAKES_NO_MAIL, DomainState.DOES_NOT_EXIST}:
        # Who has asked for no mail is not to be asked for an address.
        wished = any(one.rule is None and one.status in _WISHES for one in several)
        remedy = ways if wished else "Correct the address, or ask the person for another."
        return RecheckVerdict(frees=False, sentence=takes, remedy=remedy)
    if not several:
        remedy = "Ask again later." if domain.state is DomainState.UNKNOWN else "Mail it."
        return RecheckVerdict(frees=False, sentence=f"{takes} Nothing forbids mail to the contact.", remedy=remedy)
    others = [one for one in several if one.cause not in frees or one.rule is None]
    if others:
        names = ", ".join(sorted({one.name for one in others}))
        return RecheckVerdict(frees=False, sentence=f"{takes} That does not end {names}.", remedy=ways)
    if domain.state is DomainState.TAKES_MAIL:
        return RecheckVerdict(frees=True, sentence=f"{takes} That ends the block.", remedy=None)
    remedy = "Ask again later." if domain.state is DomainState.UNKNOWN else ways
    return RecheckVerdict(frees=False, sentence=f"{takes} So the block stays.", remedy=remedy)


def _domain_sentence(name: str, domain: DomainAnswer) -> str:
    return {
        DomainState.TAKES_MAIL: f"The domain {name} takes mail now.",
        DomainState.TAKES_NO_MAIL: f"The domain {name} says that it takes no mail.",
        DomainState.DOES_NOT_EXIST: f"The domain {name} does not exist, or has no mail server.",
        DomainState.UNKNOWN: f"Whether the domain {name} takes mail is not known now ({domain.detail}).",
        DomainState.NOT_ASKED: "The DNS was not asked.",
    }[domain.state]
