"""Tests in several processes: many at a time, or one that is alone."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.side_by_side import MOST_PROCESSES, Turns, how_many
from tests.waiting import stays_meanwhile
from worker.local_services.rabbitmq import URL_VARIABLE


def test_tests_of_two_processes_run_at_the_same_time(tmp_path: Path) -> None:
    one, other = Turns(tmp_path), Turns(tmp_path)
    with one.turn(alone=False), other.turn(alone=False):
        pass
    one.close()
    other.close()


def test_a_test_that_is_alone_waits_for_the_running_one_and_lets_none_overtake_it(tmp_path: Path) -> None:
    first, alone, late = Turns(tmp_path), Turns(tmp_path), Turns(tmp_path)
    order: list[str] = []

    def run(turns: Turns, name: str, *, by_itself: bool) -> None:
        with turns.turn(alone=by_itself):
            order.append(name)

    with ThreadPoolExecutor() as others:
        with first.turn(alone=False):
            waiting: list[Future[None]] = [others.submit(run, alone, "alone", by_itself=True)]
            stays_meanwhile(lambda: not order, "a test is running", seconds=0.1)
            waiting.append(others.submit(run, late, "late", by_itself=False))
            stays_meanwhile(lambda: not order, "a test is running", seconds=0.1)
        for one in waiting:
            one.result(timeout=10)
    assert order == ["alone", "late"]
    for turns in (first, alone, late):
        turns.close()


def test_a_broker_that_was_given_is_shared_by_no_two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= how_many() <= how_many(fast=True) <= MOST_PROCESSES
    monkeypatch.setenv(URL_VARIABLE, "amqp://127.0.0.1")
    assert how_many() == 0
