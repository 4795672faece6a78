"""Makes a new Postgres cluster with initdb, complete or not at all."""

import re
import shutil
import signal
from pathlib import Path
from tempfile import mkdtemp

from worker.errors import ImpossibleSetting
from worker.local_services.process import ServiceProcess

_NEW = "cluster.new."
_TIMEOUT_SECONDS = 300.0
_REASON = re.compile(r"(?:FATAL|PANIC|error): +(?P<reason>.+)")  # the first of these lines says why


async def make_cluster(cluster: Path, *, initdb: Path, password: str, user: str | None, synced: bool) -> None:
    """Makes the cluster with the superuser `postgres`. Its configuration includes `bouncekeeper.conf`.

    `user` is the system user that owns it; None for ours. Raises ImpossibleSetting if initdb fails, OSError.
    """
    folder = cluster.parent
    for left_over in folder.glob(f"{_NEW}*"):  # of a run that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    # Renamed once it is complete, so that a half-made cluster never looks whole.
    fresh = Path(mkdtemp(prefix=_NEW, dir=folder))
    try:
        files = fresh / "data"
        files.mkdir(mode=0o700)
        password_file = fresh / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if user is not None:
            for path in (fresh, files, password_file):
                shutil.chown(path, user, user)
        await _run_initdb(initdb, files, password_file, user=user, synced=synced)
        with (files / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude 'bouncekeeper.conf'\n")
        files.rename(cluster)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


async def _run_initdb(initdb: Path, files: Path, password_file: Path, *, user: str | None, synced: bool) -> None:
    process = ServiceProcess.start(
        [
            *(str(initdb), "--pgdata", str(files), "--username", "postgres"),
            *("--pwfile", str(password_file), "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
            "--no-instructions",
            *([] if synced else ["--no-sync"]),
        ],
        log_path=files.parent / "initdb.log",
        working_directory=Path("/"),
        user=user,
        parent_death_signal=signal.SIGKILL,
    )
    try:
        await process.wait(timeout_seconds=_TIMEOUT_SECONDS)
    finally:
        process.kill_with_children()
        await process.wait(timeout_seconds=_TIMEOUT_SECONDS)
    if process.exit_status != 0:
        output = process.last_lines(40)
        reason = match["reason"] if (match := _REASON.search(output)) else output[-600:]
        raise ImpossibleSetting(
            f"Postgres could not make its files in {files.parent.parent} ({reason}): fix that, choose another folder "
            "with --data-directory, or set postgres.url to a Postgres of your own."
        )
