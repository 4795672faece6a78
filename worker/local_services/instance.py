"""The instance of a data folder: one `up` or `stack` at a time, which tells other commands its addresses and queue.

```
<data folder>/
├── instance.lock    held while it runs
└── instance.json    its record; stays after it has ended, so that its queue is known
```
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from worker.errors import ImpossibleSetting
from worker.local_services.folder import FolderLock
from worker.local_services.whole_file import write_anew

_RECORD, _LOCK = "instance.json", "instance.lock"


class InstanceRecord(Struct, frozen=True, kw_only=True):
    """The record of an instance. It may hold a password, so only the folder's owner can read it."""

    command: str  # `up`
    process_id: int
    config_file: str  # absolute
    settings: Mapping[str, str]  # `receiver.port` and the like, as a flag would give them
    runs: bool = True


class Instance:
    """This process as the instance of a data folder."""

    def __init__(self, folder: Path, *, command: str, config_file: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._lock = FolderLock(folder / _LOCK)
        self._record = InstanceRecord(
            command=command, process_id=os.getpid(), config_file=str(config_file.resolve()), settings=settings
        )

    def hold(self) -> InstanceRecord | None:
        """Locks the folder. Returns the record of another instance if one runs there. Raises OSError."""
        try:
            self._lock.acquire()
        except ImpossibleSetting:
            return find_instance(self._folder) or msgspec.structs.replace(self._record, process_id=0)
        write_anew(self._folder / _RECORD, msgspec.json.encode(self._record).decode())
        return None

    def add(self, settings: Mapping[str, str]) -> None:
        """Adds settings to the record. Raises OSError."""
        self._record = msgspec.structs.replace(self._record, settings={**self._record.settings, **settings})
        write_anew(self._folder / _RECORD, msgspec.json.encode(self._record).decode())

    def release(self) -> None:
        """Unlocks the folder."""
        self._lock.release()


def find_instance(folder: Path) -> InstanceRecord | None:
    """The record of the folder's instance, or None if none ever ran. `runs` is False if it has ended.

    Raises OSError if the folder cannot be read.
    """
    try:
        record = msgspec.json.decode((folder / _RECORD).read_bytes(), type=InstanceRecord)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return msgspec.structs.replace(record, runs=FolderLock(folder / _LOCK).is_held())
