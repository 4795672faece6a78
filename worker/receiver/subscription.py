"""Confirms a subscription: before a vendor sends events, its handshake asks us to fetch a URL."""

from worker.errors import SubscriptionUnconfirmed, TryAgainLater
from worker.process.logs import get_logger
from worker.providers.verdict import ConfirmSubscription
from worker.receiver.outbound import Outbound

log = get_logger()


async def confirm_subscription(handshake: ConfirmSubscription, *, source: str, outbound: Outbound) -> None:
    """Returns once the vendor has answered 200. Raises SubscriptionUnconfirmed; the vendor then repeats its handshake.

    The URL holds a token, so it is never logged.
    """
    try:
        await outbound.get(handshake.url)
    except TryAgainLater as error:
        raise SubscriptionUnconfirmed(
            f"the subscription to {handshake.topic} could not be confirmed ({error}): let the receiver reach the "
            "vendor over https; the vendor repeats its handshake"
        ) from error
    log.info("subscription.confirmed", source=source, topic=handshake.topic)
