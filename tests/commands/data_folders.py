"""Data folders that cannot be used, made with what the system has: read-only ones, and such without room."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest


def read_only(folder: Path, command: Sequence[str]) -> list[str]:
    """The command, run where nothing can be written to the folder. Skips where that cannot be had."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        return list(command)
    return _with_mount('mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"', folder, command)


def of_size(kilobytes: int, folder: Path, command: Sequence[str]) -> list[str]:
    """The command, run where the folder has no more room than this. Skips where that cannot be had."""
    return _with_mount(f'mount -t tmpfs -o size={kilobytes}k none "$0"', folder, command)


def _with_mount(mount: str, folder: Path, command: Sequence[str]) -> list[str]:
    if not _can_mount():
        pytest.skip("this user may not mount anything")
    # The mount is seen by the command alone, and goes with it.
    return ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', str(folder), *command]


@cache
def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0
