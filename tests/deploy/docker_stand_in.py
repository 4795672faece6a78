"""Stands in for the programs `docker` and `docker compose` as deploy/upgrade calls them; containers are in a file.

It reads and writes the JSON file that DOCKER_STATE names: `containers`, each with id, service, version, its state
("running", "exited", "created"), whether it is ready, and its number among its service's; `version`, which new ones are
made of; and `next_up`, what happens to the next `up`.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

FILE = Path(os.environ["DOCKER_STATE"])
OURS = ("receiver", "processor")  # they are of `version`, the others stay as they are


def main(words: list[str]) -> int:
    """Exit code of the command."""
    state = json.loads(FILE.read_text())
    code = compose(state, words[1:]) if words[0] == "compose" else engine(state, words)
    FILE.write_text(json.dumps(state))
    return code


def engine(state: dict[str, Any], words: list[str]) -> int:
    """`docker inspect`, `image inspect`, `exec`, `stop` and `rm`."""
    containers = {container["id"]: container for container in state["containers"]}
    match words:
        case ["image", "inspect", *_]:
            print("image")
        case ["inspect", "--format", wanted, name]:
            print(description(containers[name], wanted))
        case ["exec", name, "bash", "-c", _]:
            return 0 if containers[name]["state"] == "running" and containers[name]["ready"] else 1
        case ["stop", name]:
            containers[name]["state"] = "exited"
        case ["rm", *force, name] if force or containers[name]["state"] != "running":
            state["containers"].remove(containers[name])
        case _:
            return 1
    return 0


def description(container: dict[str, Any], wanted: str) -> str:
    """What the template makes of the container."""
    if "config-hash" in wanted:
        return f"{container['version']} image"
    if "container-number" in wanted:
        return str(container["number"])
    if "State.Status" in wanted:
        return f"{container['state']} {'healthy' if container['ready'] else 'unhealthy'}"
    return "bouncekeeper:local"


def compose(state: dict[str, Any], words: list[str]) -> int:
    """`docker compose`, with or without the profile."""
    match words[2:] if words[:1] == ["--profile"] else words:
        case ["version"] | ["build" | "run", *_]:
            pass
        case ["config", "--hash", service]:
            print(service, state["version"] if service in OURS else "same")
        case ["ps", *options, service]:
            for container in of_service(state, service):
                if container["state"] == "running" or "--all" in options:
                    print(container["id"])
        case ["exec", *_, "front", "sh", "-c", _]:
            pass
        case ["exec", *_, "front", "bash", "-c", _]:
            print(sum(one["state"] == "running" and one["ready"] for one in of_service(state, "receiver")))
        case ["up", *options, "--scale", scale, service] if service in OURS:
            if "--no-recreate" not in options:
                state["containers"] = [
                    one
                    for one in state["containers"]
                    if one["service"] != service or one["version"] == state["version"]
                ]
            return up(state, service, int(scale.removeprefix(f"{service}=")))
        case _:
            return 1
    return 0


def of_service(state: dict[str, Any], service: str) -> list[dict[str, Any]]:
    """Its containers, whether they run or stand."""
    return [container for container in state["containers"] if container["service"] == service]


def up(state: dict[str, Any], service: str, wanted: int) -> int:
    """Starts what stands, and makes what lacks; then what `next_up` says."""
    happening, state["next_up"] = state["next_up"], "works"
    containers = of_service(state, service)
    for container in containers:
        container["state"] = "running"
    for number in range(len(containers) + 1, wanted + 1):
        state["made"] += 1
        made = {"id": f"made-{state['made']}", "service": service, "version": state["version"], "number": number}
        state["containers"].append({**made, "state": "running", "ready": happening != "not ready"})
    if happening.startswith("SIG"):
        FILE.write_text(json.dumps(state))  # before the caller can end
        os.kill(os.getppid(), signal.Signals[happening])
        sys.exit(0)
    return 1 if happening == "fails" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
