"""Tables fit the terminal, and no word of theirs is cut off."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


def _policy_on_a_terminal(columns: int, folder: Path) -> str:
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "worker", "policy", "show"],
        cwd=folder,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass  # Linux says so when the other end of a terminal has gone
    os.close(ours)
    assert program.wait(timeout=30) == 0
    return shown.decode()


@pytest.mark.parametrize("columns", [60, 80, 100, 160, 240])
def test_no_name_is_cut_off_however_narrow_the_terminal(columns: int, tmp_path: Path) -> None:
    shown = _policy_on_a_terminal(columns, tmp_path)
    for name in ("recipient_restricted", "multiple_soft_bounces", "mailbox_does_not_exist", "confirmed_optin"):
        assert name in shown
    assert "…" not in shown


def test_a_wide_terminal_shows_a_row_a_line(tmp_path: Path) -> None:
    shown = _policy_on_a_terminal(240, tmp_path).splitlines()
    assert any("bad_domain" in line and "domain_does_not_exist" in line and "admin, expiry" in line for line in shown)
