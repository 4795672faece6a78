"""A one-time token serves one piece of data, for as long as its vendor's requests may be old."""

from schemas.one_time_token import OneTimeToken
from worker.receiver.replay_guard import ReplayGuard


def _token(token: str, data: str, window: int = 60) -> OneTimeToken:
    return OneTimeToken(signed=token, used_for=data, window_seconds=window)


def _claim(guard: ReplayGuard, token: str, data: str, *, now: float = 0.0, window: int = 60) -> bool:
    return guard.claim(_token(token, data, window), now=now)


def test_a_token_serves_its_own_data_again_and_nothing_else() -> None:
    guard = ReplayGuard()
    assert _claim(guard, "t", "a")
    assert _claim(guard, "t", "a")
    assert not _claim(guard, "t", "b")
    assert _claim(guard, "u", "b")


def test_a_released_token_is_as_good_as_new() -> None:
    guard = ReplayGuard()
    assert _claim(guard, "t", "a")
    guard.release(_token("t", "a"))
    assert _claim(guard, "t", "b")


def test_a_token_is_remembered_after_its_twin_released_it() -> None:
    guard = ReplayGuard()
    assert _claim(guard, "t", "a")
    assert _claim(guard, "t", "a")
    guard.release(_token("t", "a"))
    guard.remember(_token("t", "a"), now=0.0)
    assert not _claim(guard, "t", "b")


def test_a_token_is_forgotten_when_its_window_is_over_even_behind_a_longer_one() -> None:
    guard = ReplayGuard()
    assert _claim(guard, "long", "a", window=1000)
    assert _claim(guard, "short", "a", window=10)
    assert not _claim(guard, "short", "b", now=9)
    assert _claim(guard, "short", "b", now=11)
    assert not _claim(guard, "long", "b", now=999)


def test_the_oldest_tokens_go_when_there_are_too_many() -> None:
    guard = ReplayGuard(max_tokens=3)
    for token in "abcd":
        assert _claim(guard, token, "x")
    assert not _claim(guard, "b", "y")
    assert _claim(guard, "a", "y")
