"""What may be known of a campaign's message to one recipient."""

from enum import StrEnum


class CampaignValue(StrEnum):
    """The stored ones stand in the order of their columns. A word never changes its meaning."""

    SENT = "sent"  # anything was reported of the message
    DELIVERED = "delivered"
    OPENED = "opened"  # by a person, as far as the ESP can tell
    CLICKED = "clicked"
    SOFT_BOUNCED = "soft_bounced"
    HARD_BOUNCED = "hard_bounced"
    ERROR = "error"  # refused because of the sender, or never tried
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"
