"""A log is read line by line through rotation, emptying, half lines and lines without an end."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.commands.support.log_tail import FileTail, Lines, StreamTail
from worker.errors import ImpossibleSetting


@given(
    lines=st.lists(st.binary(max_size=20).map(lambda text: text.replace(b"\n", b""))),
    cuts=st.lists(st.integers(0, 400)),
)
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    cutter = Lines()
    pieces = [stream[begin:end] for begin, end in zip(places, places[1:], strict=False)]  # noqa: RUF007 - pairs of places
    assert [line for piece in pieces for line in cutter.cut(piece)] == lines


def test_of_a_line_that_is_too_long_nothing_is_kept() -> None:
    cutter = Lines()
    pieces = [b"a\n", *[b"x" * 100_000] * 50, b"end\nb\n"]
    assert [line for piece in pieces for line in cutter.cut(piece)] == [b"a", None, b"b"]


def test_a_file_is_followed_through_rotation_and_emptying(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1\n2")
    with closing(FileTail(log)) as tail:
        require_that_it_is_followed(tail, log, beside=tmp_path / "log.1")


def require_that_it_is_followed(tail: FileTail, log: Path, *, beside: Path) -> None:
    assert list(tail.lines()) == [b"1"]
    with log.open("ab") as file:
        file.write(b"2\n3\nhal")
    assert list(tail.lines()) == [b"22", b"3"]

    log.rename(beside)
    with beside.open("ab") as file:
        file.write(b"f\n")
    assert list(tail.lines()) == [b"half"]
    assert list(tail.lines()) == []  # the new one is not there yet
    log.write_bytes(b"new\n")
    assert list(tail.lines()) == [b"new"]

    log.write_bytes(b"")
    assert list(tail.lines()) == []
    with log.open("ab") as file:
        file.write(b"z\n")
    assert list(tail.lines()) == [b"z"]


def test_of_a_long_file_only_the_end_is_read_and_no_half_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"%09d\n" % number for number in range(100_000)))
    with closing(FileTail(log)) as tail:
        lines = list(tail.lines())
    assert lines[-1] == b"000099999"
    assert 26_000 < len(lines) < 26_300
    assert {len(line or b"") for line in lines} == {9}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImpossibleSetting, match="no-log cannot be read: No such file"):
        FileTail(tmp_path / "no-log")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The end to read from and the end to write to; the test closes the second."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_a_stream_is_read_to_its_end_and_its_last_line_too(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    tail = StreamTail(reading)
    assert list(tail.lines()) == []
    os.write(writing, b"1\n2")
    assert list(tail.lines()) == [b"1"]
    os.close(writing)
    assert list(tail.lines()) == [b"2"]
    assert tail.has_ended
