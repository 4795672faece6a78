"""deploy/upgrade that fails or is killed: as many receivers as before, and none that was well is ended.

Docker is a stand-in here; tests/deploy/containers upgrades real containers.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.surroundings import REPOSITORY

pytestmark = pytest.mark.slow  # each run of the script starts some twenty processes

STAND_IN = Path(__file__).with_name("docker_stand_in.py")


class Machine:
    """A checkout, and the containers that run of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state.json"
        (folder / "deploy" / "secrets").mkdir(parents=True)
        for name in ("upgrade", "make-secrets", "note-configuration", "bouncekeeper.toml"):
            shutil.copy(REPOSITORY / "deploy" / name, folder / "deploy")
        (folder / "bin").mkdir()
        docker = folder / "bin" / "docker"
        docker.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
        docker.chmod(0o755)

    def runs(self, *receivers: str, stopped: str = "", version: str = "new", next_up: str = "works") -> None:
        """Receivers of these versions run, one of `stopped` stands, and the checkout is of `version`."""
        others = [
            {"id": name, "service": name, "version": "same", "runs": True} for name in ("rabbitmq", "postgres", "front")
        ]
        versions = [*receivers, *([stopped] if stopped else [])]
        ours = [
            {"id": f"{name}-{number}", "service": "receiver", "version": name, "runs": number < len(receivers)}
            for number, name in enumerate(versions)
        ]
        state = {"containers": [*others, *ours], "version": version, "next_up": next_up, "made": 0}
        self.state.write_text(json.dumps(state))

    def change(self, **values: str) -> None:
        """Another version of the checkout, or another fate of the next `up`."""
        self.state.write_text(json.dumps({**json.loads(self.state.read_text()), **values}))

    def upgrade(self, *, expected: int = 0) -> str:
        """What it says."""
        done = subprocess.run(
            [self.folder / "deploy" / "upgrade", "--no-build"],
            env={"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "DOCKER_STATE": str(self.state)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == expected, done.stderr
        return done.stdout + done.stderr

    @property
    def receivers(self) -> dict[str, Any]:
        """The version of each container, whether it runs or stands."""
        containers = json.loads(self.state.read_text())["containers"]
        return {container["id"]: container["version"] for container in containers if container["service"] == "receiver"}


def versions(receivers: Mapping[str, Any]) -> Counter[str]:
    return Counter(receivers.values())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    "left",
    [["old"] * 2, ["old", "old", "new"], ["old", "old", "new", "new"], ["old", "new", "new"], ["new", "new"]],
    ids=" ".join,
)
def test_whatever_an_interrupted_run_has_left_the_next_ends_with_as_many_as_before(
    machine: Machine, left: list[str]
) -> None:
    machine.runs(*left)
    machine.upgrade()
    assert versions(machine.receivers) == {"new": 2}


def test_a_third_version_after_an_interrupted_run_ends_with_as_many_as_before(machine: Machine) -> None:
    machine.runs("old", "old", "newer", "newer", version="newest")
    machine.upgrade()
    assert versions(machine.receivers) == {"newest": 2}


def test_an_old_receiver_that_was_ended_but_not_removed_does_not_come_back(machine: Machine) -> None:
    machine.runs("old", "new", "new", stopped="old")
    machine.upgrade()
    assert versions(machine.receivers) == {"new": 2}


@pytest.mark.parametrize("left", [["old"] * 2, ["old", "old", "new"], ["old", "new", "new"]], ids=" ".join)
def test_a_run_that_fails_leaves_the_receivers_that_ran_before_it_and_no_other(
    machine: Machine, left: list[str]
) -> None:
    machine.runs(*left, next_up="fails")
    before = machine.receivers
    assert "the others run" in machine.upgrade(expected=1)
    assert machine.receivers == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_run_that_is_interrupted_takes_its_new_receivers_away(machine: Machine, name: str) -> None:
    machine.runs("old", "old", next_up=name)
    before = machine.receivers
    assert "interrupted" in machine.upgrade(expected=1)
    assert machine.receivers == before


def test_a_run_that_is_killed_can_be_run_again(machine: Machine) -> None:
    machine.runs("old", "old", next_up="SIGKILL")
    machine.upgrade(expected=-9)
    assert versions(machine.receivers) == {"old": 2, "new": 2}
    machine.change(next_up="SIGKILL", version="newest")
    machine.upgrade(expected=-9)
    machine.upgrade()
    assert versions(machine.receivers) == {"newest": 2}
