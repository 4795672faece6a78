"""An error at the end of its way: one message for a person, one exit status for a script."""

import errno
import sys
import traceback

import msgspec

from worker.commands.support.exit_code import ExitCode
from worker.errors import BouncekeeperError, RequestRefused, StopTheProcess, TryAgainLater, WrongUsage
from worker.local_services.folder import remedy_of

_OF_WRONG_WORDS = frozenset({"bad-decision", "bad-removal", "bad-safelist-request", "bad-parameter"})
_REMEDIES = {
    errno.EADDRINUSE: "another process listens there; end it, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address; correct the host",
    errno.EACCES: "this user may not do that; choose a port above 1023, or another user",
}


def tell_failure(error: BaseException, *, as_json: bool) -> int:
    """Prints what happened and gives the exit status. What is no error of ours is a bug: it shows its traceback."""
    ours = _gravest_of_ours(error) or _of_the_machine(error)
    if ours is None:
        traceback.print_exception(error)
        return ExitCode.INTERNAL
    if as_json:
        print(msgspec.json.encode({"error": str(ours), "kind": type(ours).__name__}).decode())  # noqa: T201 - the output
    print(f"bouncekeeper: {ours}", file=sys.stderr)  # noqa: T201 - the terminal is what this is for
    # What makes no sense was typed wrong, whoever finds out.
    if isinstance(ours, WrongUsage) or (isinstance(ours, RequestRefused) and ours.kind in _OF_WRONG_WORDS):
        return ExitCode.USAGE
    if isinstance(ours, StopTheProcess):
        return ExitCode.IMPOSSIBLE_SETTING
    return ExitCode.UNAVAILABLE if isinstance(ours, TryAgainLater) else ExitCode.NO


def _of_the_machine(error: BaseException) -> BouncekeeperError | None:
    """What the operating system refused, such as a file or a port: a person must act, and needs no traceback."""
    if not isinstance(error, OSError):
        return None
    if error.filename is not None and (remedy := remedy_of(error)):
        return StopTheProcess(f"{error.filename} cannot be used ({error.strerror}): {remedy}")
    if error.errno in _REMEDIES:
        return StopTheProcess(f"{error}: {_REMEDIES[error.errno]}")
    return None


def _gravest_of_ours(error: BaseException) -> BouncekeeperError | None:
    """The error that decides: of a group the one that stops the process, and none when a bug is among them."""
    if isinstance(error, BouncekeeperError):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    errors = [_gravest_of_ours(inner) for inner in error.exceptions]
    ours = [inner for inner in errors if inner is not None]
    if len(ours) < len(errors):
        return None
    return next((inner for inner in ours if isinstance(inner, StopTheProcess)), ours[0])
