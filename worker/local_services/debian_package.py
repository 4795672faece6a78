"""Installs the Debian package of a program that is missing on this machine."""

import os
import shutil
import subprocess

from worker.errors import ImpossibleSetting
from worker.process.logs import get_logger

log = get_logger()

_WAIT_FOR_DPKG = "DPkg::Lock::Timeout=120"  # seconds; a dpkg of an interrupted run may still be at work


def install_package(name: str, *, otherwise: str = "") -> None:
    """Installs the package if there is apt-get and we are root; otherwise does nothing.

    Does not start its services. Raises ImpossibleSetting if apt-get fails; `otherwise` is appended to the remedy.
    """
    apt_get = shutil.which("apt-get")
    if apt_get is None or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (
        [apt_get, "update", "-q"],
        [apt_get, "install", "-q", "-y", "--no-install-recommends", "-o", _WAIT_FOR_DPKG, name],
    ):
        log.warning("package.installing", command=" ".join(command))
        done = subprocess.run(  # noqa: S603 - the package's name is a constant of ours
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches only this process, and dpkg can finish
        )
        if done.returncode != 0:
            raise ImpossibleSetting(
                f"`{' '.join(command)}` failed: {done.stderr.strip()[-400:]}. Install {name} yourself{otherwise}."
            )
