"""The principal of a question or a decision: who asks, or who acts."""

from msgspec import Struct

from schemas.decision import Role

_RANKS = {role: rank for rank, role in enumerate(Role)}


class Principal(Struct, frozen=True, kw_only=True):
    """A token's bearer, or a person at the command line."""

    token_id: int | None  # None for a token of the configuration, and for a person at the command line
    name: str  # for the log and the history
    role: Role
    account: str | None  # None: all accounts

    def may_act_as(self, role: Role) -> bool:
        """True if the principal has this role or a higher one: each role includes the previous ones."""
        return _RANKS[self.role] >= _RANKS[role]
