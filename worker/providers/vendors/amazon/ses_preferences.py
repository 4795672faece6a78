"""Finds what a person changed in an SES contact list, from the preferences before and after.

Source: docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html, subscription object.
"""

from collections.abc import Mapping
from typing import Any

from schemas.vocabulary import Kind
from worker.providers.payload import json_payload


def preference_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[Kind, str | None]]:
    """Each change as a kind and its topic; None stands for the whole list.

    If nothing was changed, the answer is one OTHER.
    """
    if json_payload.flag(new, "unsubscribeAll"):
        return [(Kind.UNSUBSCRIBE, None)]
    comes_back = json_payload.flag(old, "unsubscribeAll")
    before, after = _topics(old), _topics(new)
    changes: list[tuple[Kind, str | None]] = [(Kind.RESUBSCRIBE, None)] if comes_back else []
    for topic, status in after.items():
        if status == "OptOut" and (comes_back or before.get(topic) != status):
            changes.append((Kind.UNSUBSCRIBE, topic))
        elif status == "OptIn" and old and before.get(topic) != status:
            changes.append((Kind.RESUBSCRIBE, topic))
    return changes or [(Kind.OTHER, None)]


def _topics(preferences: Mapping[str, Any]) -> dict[str, str | None]:
    statuses = preferences.get("topicSubscriptionStatus")
    topics = {}
    for status in statuses if isinstance(statuses, list) else ():
        topic = json_payload.text(status, "topicName", json_payload.WORD_LIMIT) if isinstance(status, dict) else None
        if topic is not None:
            topics[topic] = json_payload.text(status, "subscriptionStatus", json_payload.WORD_LIMIT)
    return topics
