"""Pure: what vendors' webhooks and mails say, and whether they are genuine."""
