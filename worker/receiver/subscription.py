"""Confirming a subscription: the vendor's handshake asks us to GET a URL before it sends anything."""

from worker.errors import SubscriptionUnconfirmed, TryAgainLater
from worker.process.logs import get_logger
from worker.providers.verdict import ConfirmSubscription
from worker.receiver.outbound import Outbound

log = get_logger()


async def confirm_subscription(handshake: ConfirmSubscription, *, source: str, outbound: Outbound) -> None:
    """Returns when the vendor has answered 200; raises SubscriptionUnconfirmed, so that it sends the handshake again.

    The URL holds a token, so it never reaches the log.
    """
    try:
        await outbound.get(handshake.url)
    except TryAgainLater as error:
        raise SubscriptionUnconfirmed(
            f"the subscription to {handshake.topic} could not be confirmed ({error}): let the receiver reach the "
            "vendor over https; the vendor repeats its handshake"
        ) from error
    log.info("subscription.confirmed", source=source, topic=handshake.topic)
