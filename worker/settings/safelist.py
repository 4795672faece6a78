"""The rules of safelist requests that the settings name."""

from datetime import timedelta

from worker.policy.safelist import AttemptLimits, SafelistRules
from worker.policy.safelist_presets import safelist_rules
from worker.settings.tree import SafelistSettings


def configured_rules(settings: SafelistSettings) -> SafelistRules:
    """The preset, with the limits of the settings."""
    limits = AttemptLimits(bounce=settings.bounce_attempts, complaint=settings.complaint_attempts)
    return safelist_rules(settings.preset, limits=limits, account_age=timedelta(days=settings.account_days))
