"""A writer that parks parcels in Postgres if the broker is slow, blocked or away, so that requests do not wait."""

import asyncio
import time

from schemas.lane import SHARED_LANE, Lane
from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.process import metrics
from worker.process.logs import get_logger
from worker.queue.port import QueueWriter

log = get_logger()

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 5.0


class ParkingWriter:
    """A QueueWriter in front of two: `primary` is the broker, `parking` the queue in Postgres.

    A parcel without a confirm within park_after_seconds is parked; it may then be in both, which is harmless. After
    that only one put at a time tries the broker, at growing intervals, until one succeeds. All others are parked at
    once.
    """

    def __init__(self, primary: QueueWriter, parking: QueueWriter, *, park_after_seconds: float) -> None:
        self._primary = primary
        self._parking = parking
        self._park_after_seconds = park_after_seconds
        self._retry_at = 0.0
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._parking_since: float | None = None
        self._parked = 0

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        """Returns when the parcel is on disk in one of the two. Raises QueueUnavailable otherwise.

        Raises ImpossibleSetting if `parking` does, and the broker does not take the parcel.
        """
        reason = "the broker is away or blocked"
        tries = self._may_try_primary()
        if tries:
            already_parking = self._parking_since is not None
            try:
                async with asyncio.timeout(self._park_after_seconds):
                    await self._primary.put(parcel, lane)
            except TimeoutError:
                reason = f"no confirm within {self._park_after_seconds} seconds"
            except QueueUnavailable as error:
                reason = str(error)
            else:
                self._back_to_normal()
                return
            if already_parking:
                self._retry_seconds = min(self._retry_seconds * 2, _LONGEST_RETRY_SECONDS)
            self._retry_at = time.monotonic() + self._retry_seconds
        await self._park(parcel, lane, reason, primary_refused=tries)

    def available(self) -> bool:
        """False if both are away."""
        return self._primary.available() or self._parking.available()

    def parks(self) -> bool:
        """True while the broker is away, blocked or too slow, so that new parcels are parked."""
        return not self._primary.available() or (self._parking_since is not None and time.monotonic() < self._retry_at)

    async def close(self) -> None:
        """Closes both."""
        try:
            await self._primary.close()
        finally:
            await self._parking.close()

    def _may_try_primary(self) -> bool:
        if not self._primary.available():
            return False
        if self._parking_since is None:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return False
        # This put tries the broker; the others are parked while it waits.
        self._retry_at = now + self._retry_seconds + self._park_after_seconds
        return True

    def _back_to_normal(self) -> None:
        if self._parking_since is not None:
            log.info(
                "parking.ended",
                parcels=self._parked,
                seconds=round(time.monotonic() - self._parking_since, 3),
            )
            self._parking_since = None
            self._parked = 0
            self._retry_seconds = _FIRST_RETRY_SECONDS
            self._retry_at = 0.0

    async def _park(self, parcel: bytes, lane: Lane, reason: str, *, primary_refused: bool) -> None:
        if self._parking_since is None:
            self._parking_since = time.monotonic()
            log.warning("parcel.parked", reason=reason)
        try:
            await self._parking.put(parcel, lane)
        except (QueueUnavailable, ImpossibleSetting) as error:
            if primary_refused or not self._primary.available():
                if isinstance(error, ImpossibleSetting):
                    raise
                raise QueueUnavailable(
                    f"Neither the broker ({reason}) nor Postgres ({error}) accepted the parcel."
                ) from error
            # This put did not try the broker, which is now the only one left.
            await self._primary.put(parcel, lane)
            self._back_to_normal()
        else:
            self._parked += 1
            metrics.PARKED_PARCELS.inc()
