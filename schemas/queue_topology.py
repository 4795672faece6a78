"""The broker's objects: what exists in RabbitMQ, by name, and why.

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

rejected, or lent more often than the limit ──► exchange bouncekeeper.webhooks.dead (fanout, durable)
                                 └──► queue bouncekeeper.webhooks.dead ──► processor's mover ──► table dead_letters

relay ──► exchange bouncekeeper.contacts (topic, durable), routing key contact.status.<status>
              └──► the applications' own queues, and those of queue.changes_queues (quorum, durable)
```
All queues are quorum queues. Receivers and workers declare the shared ones; a worker declares one for each source
of its configuration, and writes its name into the table queue_lanes, so that the queue of a source that is gone is
drained all the same. Declaring is idempotent; a name that exists with other arguments stops the process with the
remedy.
"""

from schemas.lane import SHARED_BULK_LANE, SHARED_LANE, Lane

PARCELS_EXCHANGE = "bouncekeeper.parcels"
SHARED_EXCHANGE = "bouncekeeper.parcels.shared"
SHARED_LANES = (SHARED_LANE, SHARED_BULK_LANE)
DEAD_EXCHANGE = "bouncekeeper.webhooks.dead"
DEAD_QUEUE = "bouncekeeper.webhooks.dead"
CONTACTS_EXCHANGE = "bouncekeeper.contacts"

# The one queue of all sources, of versions before there were lanes. It is drained wherever it still exists.
FORMER_QUEUE = "bouncekeeper.webhooks.parcels"

PARCELS_EXCHANGE_ARGUMENTS: dict[str, str | int] = {"alternate-exchange": SHARED_EXCHANGE}

DELIVERY_LIMIT = 20

PARCELS_QUEUE_ARGUMENTS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": DEAD_EXCHANGE,
    # Dead letters change queues with confirms: a crash in between loses none. Asks for reject-publish.
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
DEAD_QUEUE_ARGUMENTS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    # As good as none: from RabbitMQ 4.0 on a quorum queue without a limit of its own has one of 20, and what was
    # lent more often and has no dead-letter exchange is dropped. Version 3 takes no word for "unlimited".
    "x-delivery-limit": 2**31 - 1,
}


# A queue of an application: nothing is given up, however often the application fails.
CHANGES_QUEUE_ARGUMENTS: dict[str, str | int] = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}
EVERY_STATUS = "contact.status.#"


def lane_queue(lane: Lane) -> str:
    """The queue of a lane; its routing key is the lane's name."""
    return f"{PARCELS_EXCHANGE}.{lane.name}"


def status_routing_key(status: str) -> str:
    """The topic that a status change is published under."""
    return f"contact.status.{status}"
