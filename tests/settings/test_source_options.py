"""Options are declared by providers: the settings know how they are written, and none of them by name."""

import ast
import subprocess
import sys
from pathlib import Path

import worker.settings
from worker.providers.authentication.source_options import Form
from worker.providers.registry import PROVIDERS
from worker.settings.source_options import option_forms, secret_fields

_ROOM = Path(next(iter(worker.settings.__path__)))


def test_the_settings_name_no_option_of_a_provider() -> None:
    texts = {
        node.value
        for file in _ROOM.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    written_specially = {name for name, form in option_forms().items() if form is not Form.PLAIN}
    assert written_specially == {"token_secrets", "imap_password", "pinned_certificates", "description"}
    assert not texts & {*written_specially, *secret_fields()}


def test_an_option_is_written_in_the_same_form_whatever_the_provider() -> None:
    forms = {(option.name, option.form) for provider in PROVIDERS.values() for option in provider.all_options()}
    assert len(forms) == len(option_forms())


def test_each_secret_may_stand_in_a_file_instead() -> None:
    assert secret_fields() == {
        "token_secrets": "token_secrets_files",
        "token_secrets_files": "token_secrets",
        "imap_password": "imap_password_file",
        "imap_password_file": "imap_password",
    }


def test_help_is_printed_without_importing_a_provider() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "worker", "--help"], capture_output=True, text=True, check=True
    )
    assert "worker.cli" in done.stderr
    assert "worker.providers" not in done.stderr
