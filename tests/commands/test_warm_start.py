"""A command that is forked tells all that it would tell by itself, also when the program is at fault."""

import subprocess
import sys

import pytest

from tests.commands.warm_start import REPOSITORY

# The fork itself, with a program in the place of ours.
FORKED = """
import json, os, sys, tempfile
import worker.__main__
from tests.commands import warm_start

def main():
    {program}

worker.__main__.main = main
request, output, errors, report = (tempfile.TemporaryFile() for _ in range(4))
request.write(json.dumps({{"words": [], "folder": "/", "environment": {{}}}}).encode())
request.seek(0)
child = os.fork()
if child == 0:
    warm_start._become_command(*(os.dup(file.fileno()) for file in (request, output, errors, report)))
os.waitpid(child, 0)
for file in (report, errors):
    file.seek(0)
    sys.stdout.write(file.read().decode() + "|")
"""


@pytest.mark.parametrize(
    ("program", "status", "told"),
    [
        ("return 3", "3", ""),
        ("raise OverflowError('too large')", "1", "OverflowError: too large"),
        ("sys.exit('in words')", "1", "in words\n"),
        ("sys.exit(2)", "2", ""),
    ],
)
def test_a_fork_ends_and_tells_like_the_program(program: str, status: str, told: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKED.format(program=program)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    code, errors, _ = ended.stdout.split("|")
    assert code == status
    assert ("Traceback" in errors, told in errors) == ("raise" in program, True)
