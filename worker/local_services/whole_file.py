"""Writes small files completely or not at all, even if we are killed. Only their owner can read them."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_once(path: Path, text: str) -> None:
    """Writes the file unless it exists, even if two processes write it at once. Raises OSError."""
    if path.exists():
        return
    fresh = _written_beside(path, text)
    try:
        with suppress(FileExistsError):
            path.hardlink_to(fresh)  # unlike a rename, this never replaces anything
    finally:
        fresh.unlink()


def write_anew(path: Path, text: str) -> None:
    """Writes the file, replacing an existing one. Raises OSError."""
    fresh = _written_beside(path, text)
    try:
        fresh.replace(path)
    except OSError:
        fresh.unlink()
        raise


def _written_beside(path: Path, text: str) -> Path:
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            Path(file.name).unlink()
            raise
    return Path(file.name)
