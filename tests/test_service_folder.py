"""The services of tests keep their files in memory, if that has room for them."""

from pathlib import Path

from tests.service_folder import place


def test_a_file_system_with_room_is_used(tmp_path: Path) -> None:
    assert place(tmp_path, needed_bytes=1) == tmp_path


def test_without_room_or_without_the_file_system_temporary_files_are_where_they_always_are(tmp_path: Path) -> None:
    assert place(tmp_path, needed_bytes=1024**6) is None
    assert place(tmp_path / "absent", needed_bytes=1) is None
