"""An endpoint: an application that receives status changes by signed webhooks."""

from msgspec import Struct

from schemas.source import Secret


class Endpoint(Struct, frozen=True, kw_only=True):
    """The operator's configuration of one application."""

    name: str
    url: str
    secrets: tuple[Secret, ...]  # whsec_…; several while one is being rotated: each signs
    statuses: tuple[str, ...] = ()  # only changes to these; empty = all

    def wants(self, new_status: str) -> bool:
        """True if the application receives changes to this status."""
        return not self.statuses or new_status in self.statuses
