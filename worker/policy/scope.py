"""What a question about one list or group is answered by: what was said of it, and of everything."""

from msgspec.structs import replace

from schemas.list_name import list_key
from schemas.vocabulary import Blocks
from worker.policy.consent import Wish
from worker.policy.facts import Facts
from worker.policy.rule import Policy


def within(facts: Facts, scope: str) -> Facts:
    """The facts without the opt-outs of other lists, and without those that we have made of other lists."""
    known = facts.consent
    optouts, taken_off = _within(known.optouts, scope), _within(known.taken_off, scope)
    return replace(facts, consent=replace(known, optouts=optouts, taken_off=taken_off))


def policy_within(policy: Policy) -> Policy:
    """The policy as it is asked about one list.

    Under some policies an opt-out from one list forbids nothing, because the sender keeps to the lists itself. A
    question that names the list asks about just this.
    """
    if policy.scoped_unsubscribe_applies_to is not Blocks.NONE:
        return policy
    return replace(policy, scoped_unsubscribe_applies_to=Blocks.MARKETING)


def _within(wishes: tuple[Wish, ...], scope: str) -> tuple[Wish, ...]:
    about = {"", list_key(scope)}
    return tuple(wish for wish in wishes if list_key(wish.scope) in about)
