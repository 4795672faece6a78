"""The run of docker-compose.yml with real containers: it says where it did not run, and its ledger hides nothing."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.deploy.containers.__main__ import DID_NOT_RUN
from tests.deploy.containers.ledger import Ledger
from tests.surroundings import REPOSITORY

KEPT = {"answers": Counter({200: 2}), "accepted": {"a", "b"}, "in_effect": 2}


def test_a_machine_that_cannot_run_containers_is_told_so_with_an_exit_code_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.deploy.containers"],
        cwd=REPOSITORY,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == DID_NOT_RUN, done.stderr
    assert done.stdout.startswith("docker-compose.yml was NOT run: ")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ({"in_effect": 1}, "1 accepted webhooks are lost"),
        ({"refused": 3}, "3 connections were refused"),
        ({"cut": 2}, "2 connections were cut"),
        ({"answers": Counter({200: 2, 502: 1})}, "answers [502] are neither 200 nor 503"),
        (
            {"answers": Counter({200: 2, 503: 1}), "asks_once": True, "reasons": Counter({"later": 1})},
            "1 answers were 503: ['later']",
        ),
        ({"failure": "the front did not start"}, "the front did not start"),
        ({"answers": Counter(), "accepted": set(), "in_effect": 0}, "nothing was accepted"),
    ],
)
def test_the_ledger_tells_each_broken_promise(seen: dict[str, object], told: str) -> None:
    assert Ledger(scene="a scene", **{**KEPT, **seen}).broken == [f"a scene: {told}"]  # type: ignore[arg-type]


def test_the_ledger_lets_the_front_alone_refuse_and_receivers_ask_for_webhooks_again() -> None:
    assert Ledger(scene="kept", **KEPT).broken == []  # type: ignore[arg-type]
    assert Ledger(scene="front", may_refuse=True, may_cut=True, refused=9, cut=1, **KEPT).broken == []  # type: ignore[arg-type]
    again = Counter({200: 2, 503: 7})
    assert Ledger(scene="receivers", **{**KEPT, "answers": again}).broken == []  # type: ignore[arg-type]


class TestUpgrade:
    """deploy/upgrade where there is nothing to upgrade; with real containers it is run by tests/deploy/containers."""

    @staticmethod
    def run(*words: str, path: str = "/usr/bin:/bin") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", str(REPOSITORY / "deploy" / "upgrade"), *words],
            env={"PATH": path, "DOCKER_HOST": "unix:///nowhere/docker.sock"},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_without_an_engine_it_says_so_and_changes_nothing(self) -> None:
        done = self.run()
        assert done.returncode == 1
        assert done.stderr.startswith("upgrade: ")

    def test_an_unknown_option_is_refused(self) -> None:
        done = self.run("--fast")
        assert (done.returncode, "there is no option --fast" in done.stderr) == (1, True)

    def test_help_tells_each_step(self) -> None:
        done = self.run("--help")
        assert done.returncode == 0
        assert [line for line in done.stdout.splitlines() if line.strip()[:2] in {"1.", "2.", "3.", "4.", "5."}] != []
