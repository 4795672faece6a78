"""Pure: derives a contact's status from facts and rules, and says why."""
