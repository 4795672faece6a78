"""A lane: the part of the queue in which one source's webhooks wait, so that no source waits behind another."""

from typing import Self

from msgspec import Struct

_LIVE = "live"
_BULK = "bulk"


class Lane(Struct, frozen=True, kw_only=True, order=True):
    """The source whose webhooks wait here, and whether they wait behind live events.

    Sources without a lane of their own share the lane without a source.
    """

    bulk: bool = False  # an import or a replay: nobody waits for it
    source: str = ""

    @property
    def name(self) -> str:
        """`live.<source>` or `bulk.<source>`; `live` or `bulk` for the shared ones."""
        work = _BULK if self.bulk else _LIVE
        return f"{work}.{self.source}" if self.source else work

    @classmethod
    def of_name(cls, name: str) -> Self:
        """The lane of this name. A name that this version does not know counts as live."""
        work, _, source = name.partition(".")
        return cls(source=source, bulk=work == _BULK)


SHARED_LANE = Lane()
SHARED_BULK_LANE = Lane(bulk=True)
