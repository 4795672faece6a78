"""Who asks or acts: every question and every decision has one."""

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
        """True if the principal may do what needs this role: each role may do what the one before it may."""
        return _RANKS[self.role] >= _RANKS[role]
