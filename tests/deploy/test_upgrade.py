"""deploy/upgrade that fails or is killed: as many receivers as before, and none that was well is ended.

Docker is a stand-in here; tests/deploy/containers upgrades real containers.
"""

import fcntl
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

    def runs(
        self, *receivers: str, stopped: str = "", unready: str = "", version: str = "new", next_up: str = "works"
    ) -> None:
        """Receivers of these versions run, one of `stopped` stands, and the checkout is of `version`.

        Those of the version `unready` run, and are not ready.
        """
        others = [container("rabbitmq", "same"), container("postgres", "same"), container("front", "same")]
        versions = [*receivers, *([stopped] if stopped else [])]
        ours = [
            container(
                "receiver",
                name,
                number=number + 1,
                state="running" if number < len(receivers) else "exited",
                ready=name != unready,
            )
            for number, name in enumerate(versions)
        ]
        state = {"containers": [*others, *ours], "version": version, "next_up": next_up, "made": 0}
        self.state.write_text(json.dumps(state))

    def has(self, *containers: Mapping[str, Any]) -> None:
        """These are there too."""
        state = json.loads(self.state.read_text())
        self.state.write_text(json.dumps({**state, "containers": [*state["containers"], *containers]}))

    def change(self, **values: str) -> None:
        """Another version of the checkout, or another fate of the next `up`."""
        self.state.write_text(json.dumps({**json.loads(self.state.read_text()), **values}))

    def upgrade(self, *, expected: int = 0) -> str:
        """What it says."""
        run = self.start()
        output, errors = run.communicate(timeout=60)
        assert run.returncode == expected, errors
        return output + errors

    def start(self) -> "subprocess.Popen[str]":
        """The running script."""
        return subprocess.Popen(
            [self.folder / "deploy" / "upgrade", "--no-build"],
            env={"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "DOCKER_STATE": str(self.state)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def receivers(self) -> dict[str, Any]:
        """The version of each container, whether it runs or stands."""
        return self.containers("receiver")

    def containers(self, service: str) -> dict[str, Any]:
        """The version of each of a service's, whether it runs or stands."""
        containers = json.loads(self.state.read_text())["containers"]
        return {container["id"]: container["version"] for container in containers if container["service"] == service}


def container(
    service: str, version: str, *, number: int = 1, state: str = "running", ready: bool = True
) -> dict[str, Any]:
    return {
        "id": f"{service}-{version}-{number}",
        "service": service,
        "version": version,
        "number": number,
        "state": state,
        "ready": ready,
    }


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


def test_what_a_killed_run_has_left_is_told(machine: Machine) -> None:
    machine.runs("old", "old", "newer", "newer", version="newest")
    assert "an earlier run was cut short: receivers of 2 versions run; 2 of this one are to run" in machine.upgrade()
    machine.runs("old", "old")
    assert "cut short" not in machine.upgrade()


@pytest.mark.parametrize("left", [["old", "old", "broken"], ["old", "old", "broken", "broken"]], ids=" ".join)
def test_a_version_that_never_became_ready_does_not_keep_the_next_from_coming(
    machine: Machine, left: list[str]
) -> None:
    machine.runs(*left, unready="broken")
    machine.upgrade()
    assert versions(machine.receivers) == {"new": 2}


def test_what_is_left_of_this_very_version_and_is_not_ready_is_made_anew(machine: Machine) -> None:
    machine.runs("old", "old", "new", "new", unready="new")
    machine.upgrade()
    assert versions(machine.receivers) == {"new": 2}
    assert not {"receiver-new-3", "receiver-new-4"} & set(machine.receivers)


def test_receivers_that_are_not_ready_are_replaced_by_a_version_that_is(machine: Machine) -> None:
    machine.runs("old", "old", unready="old")
    machine.upgrade()
    assert versions(machine.receivers) == {"new": 2}


@pytest.mark.parametrize("broken", ["", "broken"])
def test_new_receivers_that_do_not_become_ready_are_taken_away_and_no_old_one_is_ended(
    machine: Machine, broken: str
) -> None:
    machine.runs("old", "old", *filter(None, [broken]), unready="broken", next_up="not ready")
    before = machine.receivers
    assert "do not become ready" in machine.upgrade(expected=1)
    assert machine.receivers == before


def test_an_old_receiver_that_a_killed_run_has_ended_is_removed_even_if_nothing_else_is_left(machine: Machine) -> None:
    machine.runs("new", "new", stopped="old")
    assert "it has ended 1 old, and not removed" in machine.upgrade()
    assert versions(machine.receivers) == {"new": 2}


@pytest.mark.parametrize(
    "left",
    [
        # Killed as it had made the new one, as it had ended the old one, and as it had removed that.
        [("old", 1, "running"), ("old", 2, "running"), ("new", 1, "created")],
        [("old", 1, "exited"), ("old", 2, "running"), ("new", 1, "created")],
        [("old", 1, "exited"), ("old", 2, "exited"), ("new", 1, "created"), ("new", 2, "created")],
        [("new", 1, "created"), ("new", 2, "created")],
        [("new", 1, "running"), ("new", 2, "created")],
    ],
)
def test_processors_that_a_killed_run_was_about_to_replace_run_again_all_of_them(
    machine: Machine, left: list[tuple[str, int, str]]
) -> None:
    machine.runs("new", "new")
    machine.has(*(container("processor", version, number=number, state=state) for version, number, state in left))
    said = machine.upgrade()
    assert "cut short while it replaced: processor; 2 of it are to run" in said
    assert versions(machine.containers("processor")) == {"new": 2}


def test_processors_that_somebody_has_stopped_stay_so(machine: Machine) -> None:
    machine.runs("new", "new")
    machine.has(container("processor", "new", state="exited"))
    machine.upgrade()
    assert "exited" in machine.state.read_text()


def test_a_run_waits_for_what_a_killed_one_has_started(machine: Machine) -> None:
    machine.runs("old", "old")
    descriptor = os.open(machine.folder / "deploy", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        waiting = machine.start()
        assert waiting.stdout is not None
        assert "waiting for its end" in waiting.stdout.readline()
        assert versions(machine.receivers) == {"old": 2}
    finally:
        os.close(descriptor)
    waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert versions(machine.receivers) == {"new": 2}
