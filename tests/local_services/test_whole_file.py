"""A small file is there whole or not at all, and never the second time."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from worker.local_services.whole_file import write_anew, write_once


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    write_once(tmp_path / "token", "first")
    write_once(tmp_path / "token", "second")
    assert (tmp_path / "token").read_text() == "first"


def test_of_many_who_write_it_at_once_one_wins_and_the_file_is_whole(tmp_path: Path) -> None:
    texts = [str(number) * 10_000 for number in range(10)]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(lambda text: write_once(tmp_path / "token", text), texts))
    assert (tmp_path / "token").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_file_may_be_written_anew(tmp_path: Path) -> None:
    write_anew(tmp_path / "port", "1")
    write_anew(tmp_path / "port", "2")
    assert (tmp_path / "port").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["port"]


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    write_once(tmp_path / "once", "a secret")
    write_anew(tmp_path / "anew", "a secret")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "port").mkdir()
    with pytest.raises(IsADirectoryError):
        write_anew(tmp_path / "port", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["port"]


@pytest.mark.parametrize("write", ["write_once", "write_anew"])
def test_a_file_for_which_there_is_no_room_leaves_nothing_behind(write: str, tmp_path: Path) -> None:
    program = f"""
import pathlib, resource
from worker.local_services.whole_file import {write}
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # bytes
{write}(pathlib.Path({str(tmp_path / "token")!r}), "x" * 200)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "OSError" in done.stderr
    assert list(tmp_path.iterdir()) == []
