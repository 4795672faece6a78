"""The broker's objects: what exists in RabbitMQ, by name, and why.

```
receiver ──► exchange bouncekeeper.webhooks (direct, durable)
                 │ routing key "parcel"
                 ▼
             queue bouncekeeper.webhooks.parcels (quorum, durable, delivery limit 20)
                 │                      │ rejected, or lent more often than the limit
                 ▼                      ▼
             processor          exchange bouncekeeper.webhooks.dead (fanout, durable)
                                        ▼
                                queue bouncekeeper.webhooks.dead (quorum, durable)
                                        ▼
                                processor's mover ──► table dead_letters

relay ──► exchange bouncekeeper.contacts (topic, durable), routing key contact.status.<status>
              └──► the applications' own queues, and those of queue.changes_queues (quorum, durable)
```
Declaring is idempotent; a name that exists with other arguments stops the process with the remedy.
"""

WEBHOOKS_EXCHANGE = "bouncekeeper.webhooks"
PARCEL_ROUTING_KEY = "parcel"
PARCELS_QUEUE = "bouncekeeper.webhooks.parcels"
DEAD_EXCHANGE = "bouncekeeper.webhooks.dead"
DEAD_QUEUE = "bouncekeeper.webhooks.dead"
CONTACTS_EXCHANGE = "bouncekeeper.contacts"
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


def status_routing_key(status: str) -> str:
    """The topic that a status change is published under."""
    return f"contact.status.{status}"
