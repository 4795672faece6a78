"""The processes of this machine, as a test looks for what somebody has left running."""

import subprocess


def command_lines() -> str:
    """All of them, a line each."""
    return subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout
