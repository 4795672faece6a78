"""The one-time token of an accepted request."""

from schemas.one_time_token import OneTimeToken
from worker.providers.verdict import Accepted


def token_of(accepted: Accepted) -> OneTimeToken:
    """The token; the test fails when there is none."""
    assert accepted.one_time_token is not None
    return accepted.one_time_token
