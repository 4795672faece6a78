"""All that is asked of a contact and done to one: check, report, explanation, applying events, sweep, retention."""
