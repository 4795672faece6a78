"""An error's last step: which status a script sees."""

import errno

import pytest

from worker.commands.support.exit_code import ExitCode
from worker.commands.support.failure import tell_failure
from worker.errors import (
    ImpossibleSetting,
    QueueUnavailable,
    SchemaOutOfDate,
    StoreUnavailable,
    UnreadablePayload,
    WrongUsage,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ImpossibleSetting("a"), ExitCode.IMPOSSIBLE_SETTING),
        (SchemaOutOfDate("a"), ExitCode.IMPOSSIBLE_SETTING),
        (WrongUsage("a"), ExitCode.USAGE),
        (StoreUnavailable("a"), ExitCode.UNAVAILABLE),
        (QueueUnavailable("a"), ExitCode.UNAVAILABLE),
        (UnreadablePayload("a"), ExitCode.NO),
        (OSError(errno.EADDRINUSE, "address already in use"), ExitCode.IMPOSSIBLE_SETTING),
        (OSError(errno.EROFS, "Read-only file system", "/data/file"), ExitCode.IMPOSSIBLE_SETTING),
        (ExceptionGroup("g", [StoreUnavailable("a"), ImpossibleSetting("b")]), ExitCode.IMPOSSIBLE_SETTING),
        (ExceptionGroup("g", [ExceptionGroup("h", [StoreUnavailable("a")])]), ExitCode.UNAVAILABLE),
    ],
    ids=repr,
)
def test_an_error_of_ours_is_one_line_and_its_status(
    error: Exception, status: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell_failure(error, as_json=False) == status
    told = capsys.readouterr()
    assert told.err.startswith("bouncekeeper: ")
    assert "Traceback" not in told.err
    assert not told.out


@pytest.mark.parametrize(
    "error",
    [
        KeyError("bug"),
        FileNotFoundError(errno.ENOENT, "No such file", "ours"),
        ExceptionGroup("g", [StoreUnavailable("a"), KeyError("bug")]),
    ],
    ids=repr,
)
def test_a_bug_shows_its_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell_failure(error, as_json=False) == ExitCode.INTERNAL
    assert "bouncekeeper: " not in (said := capsys.readouterr().err)
    assert type(error).__name__ in said or "KeyError" in said
