"""What other systems call a campaign's value: those that document words of their own for it. docs/names.md shows them.

EmailMassivo, and RuSender, whose words are the same: help.emailmassivo.com, "Contact statuses" (the values of an
export) and "Email statuses" (Pending). Of the others no page says what a recipient's value is called.
"""

from collections.abc import Mapping

from schemas.campaign import CampaignValue
from schemas.vocabulary import System

CAMPAIGN_NAMES: Mapping[System, Mapping[CampaignValue, str]] = {
    System.EMAILMASSIVO: {
        CampaignValue.SENT: "Pending",
        CampaignValue.DELIVERED: "Delivered",
        CampaignValue.OPENED: "Opened",
        CampaignValue.CLICKED: "Clicked",
        CampaignValue.SOFT_BOUNCED: "Soft bounced",
        CampaignValue.HARD_BOUNCED: "Hard bounced",
        CampaignValue.ERROR: "Error",
        CampaignValue.COMPLAINT: "Complaint",
        CampaignValue.UNSUBSCRIBED: "Unsubscribed",
    }
}


def campaign_name_in(system: System, value: CampaignValue) -> str | None:
    """The system's name for the value; None if it has none."""
    return CAMPAIGN_NAMES.get(system, {}).get(value)
