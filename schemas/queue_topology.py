"""The objects in RabbitMQ: their names, and what each is for.

```
receiver ──► exchange bouncekeeper.parcels (direct, durable)
                 │ routing key live.<source> or bulk.<source>      │ no lane of that name
                 ▼                                                 ▼
             queue bouncekeeper.parcels.live.<source>    exchange bouncekeeper.parcels.shared (topic, durable)
             queue bouncekeeper.parcels.bulk.<source>              │ live.#, bulk.#
                 │                                                 ▼
                 │                                       queue bouncekeeper.parcels.live
                 │                                       queue bouncekeeper.parcels.bulk
                 ▼                                                 │
             processor, which takes turns among the queues ◄───────┘

what a policy of the broker gives up ──► exchange bouncekeeper.webhooks.dead (fanout, durable)
                                 └──► queue bouncekeeper.webhooks.dead ──► processor's mover ──► table dead_letters

relay ──► exchange bouncekeeper.contacts (topic, durable), routing key contact.status.<status>
              └──► the applications' own queues, and those of queue.changes_queues (quorum, durable)
```
All queues are quorum queues. Receivers and processors declare the shared ones. A processor declares one for each source
of its configuration and writes its name into the table queue_lanes, so that the queue of a removed source is still
drained. Declaring is idempotent. If a name exists with other arguments, the process stops and names the remedy.
"""

from schemas.lane import SHARED_BULK_LANE, SHARED_LANE, Lane

PARCELS_EXCHANGE = "bouncekeeper.parcels"
SHARED_EXCHANGE = "bouncekeeper.parcels.shared"
SHARED_LANES = (SHARED_LANE, SHARED_BULK_LANE)
DEAD_EXCHANGE = "bouncekeeper.webhooks.dead"
DEAD_QUEUE = "bouncekeeper.webhooks.dead"
CONTACTS_EXCHANGE = "bouncekeeper.contacts"

# The single queue of all sources in versions without lanes. It is drained wherever it still exists.
FORMER_QUEUE = "bouncekeeper.webhooks.parcels"

PARCELS_EXCHANGE_ARGUMENTS: dict[str, str | int] = {"alternate-exchange": SHARED_EXCHANGE}

# As good as none: from RabbitMQ 4.0 on a quorum queue without a limit of its own has one of 20. Version 3 takes no word
# for "unlimited". A broker counts how often it lent a parcel, and each lost channel counts for all that was lent on it;
# how often a processor tried a parcel is counted by the processors: worker/processor/trials.py.
NO_DELIVERY_LIMIT = 2**31 - 1

PARCELS_QUEUE_ARGUMENTS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": NO_DELIVERY_LIMIT,
    # For what a policy of the operator's gives up, such as parcels that are too old for him.
    "x-dead-letter-exchange": DEAD_EXCHANGE,
    # Dead letters move to their queue with confirms, so a crash in between loses none. This needs reject-publish.
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
DEAD_QUEUE_ARGUMENTS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": NO_DELIVERY_LIMIT,
}


# A queue of an application keeps every message, however often the application fails.
CHANGES_QUEUE_ARGUMENTS: dict[str, str | int] = {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT}
EVERY_STATUS = "contact.status.#"


def lane_queue(lane: Lane) -> str:
    """The queue of a lane; its routing key is the lane's name."""
    return f"{PARCELS_EXCHANGE}.{lane.name}"


def status_routing_key(status: str) -> str:
    """The routing key of a status change."""
    return f"contact.status.{status}"
