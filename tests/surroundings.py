"""The place that the tests run in: an empty folder, and no variable of ours.

A `.data` that `make run` left, a configuration file or a variable of the shell would else change what they find.
"""

import os
import shutil
from pathlib import Path

from worker.settings.declarations import ENVIRONMENT_PREFIX

REPOSITORY = Path(__file__).resolve().parent.parent


def move_to(folder: Path) -> dict[str, str]:
    """Makes `folder` the current one, for every process started from here on too.

    Takes the variables of ours out of the environment and gives them back to the caller.
    """
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(ENVIRONMENT_PREFIX)}
    # Programs that tests start are this checkout's, as the tests themselves are.
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    os.chdir(folder)
    return taken


def left_behind(folder: Path) -> list[str]:
    """What a test changed for those after it, put right again: where we are, what lies there, our variables."""
    changed = []
    if Path.cwd() != folder:
        changed.append(f"the current folder {Path.cwd()}")
        os.chdir(folder)
    for name in os.listdir(folder):  # noqa: PTH208 - after every test: a list is quicker than paths
        changed.append(f"the file or folder {name}")
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        changed.append(f"the variable {name}")
        del os.environ[name]
    return changed
