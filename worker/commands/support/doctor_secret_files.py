"""What `doctor` says of secret files that the user who runs it cannot read."""

from collections.abc import Collection, Iterable

from worker.commands.support.finding import Finding, note, wrong
from worker.commands.support.service_needs import services_that_need
from worker.settings.values import UnreadableFile

_WHAT = "secret file"


def look_at_secret_files(files: Iterable[UnreadableFile], *, ready: Collection[str]) -> list[Finding]:
    """One finding for each file. Nothing is wrong if all services that need it are among those that are `ready`.

    A service reads its files before it is ready. So only the user who runs `doctor` cannot read this one.
    """
    return [_look_at_secret_file(file, ready) for file in files]


def _look_at_secret_file(file: UnreadableFile, ready: Collection[str]) -> Finding:
    services = services_that_need(file.section)
    names = " and ".join(filter(None, (", ".join(services[:-1]), services[-1])))
    if set(services) <= set(ready):
        return note(_WHAT, str(file), f"nothing to do if only doctor cannot read it: {names} started with it")
    remedy = f"make it readable for {names}, and for the user who runs doctor: what depends on it was not looked at"
    return wrong(_WHAT, str(file), remedy)
