"""The `[endpoints.NAME]` tables: whom webhooks may be sent to, and every mistake with its remedy."""

import base64
from pathlib import Path

import pytest

from schemas.endpoint import Endpoint
from schemas.source import Secret
from worker.errors import ImpossibleSetting
from worker.settings.configuration import load_settings

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


def endpoints(folder: Path, text: str, **environment: str) -> tuple[Endpoint, ...]:
    file = folder / "bouncekeeper.toml"
    file.write_text(text)
    return load_settings(config_file=file, environment=environment, overrides={}, needs={"endpoints"}).endpoints


def test_an_endpoint_has_an_url_secrets_and_perhaps_statuses(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    text = f"""
[endpoints.crm]
url = "https://crm.example.org/hooks"
secrets = ["{SECRET}"]
statuses = ["complained", "blocklisted"]

[endpoints.here]
url = "http://127.0.0.1:9000/"
secrets_files = ["secret"]
"""
    crm, here = endpoints(tmp_path, text)
    assert (crm.url, crm.secrets, crm.statuses) == (
        "https://crm.example.org/hooks",
        (Secret(SECRET),),
        ("complained", "blocklisted"),
    )
    assert (here.name, here.secrets) == ("here", (Secret(SECRET),))
    assert [crm.wants("complained"), crm.wants("unsubscribed"), here.wants("unsubscribed")] == [True, False, True]


def test_variables_come_before_the_file(tmp_path: Path) -> None:
    text = f'[endpoints.my-crm]\nurl = "https://old.example.org/"\nsecrets = ["{SECRET}"]\n'
    (other,) = endpoints(
        tmp_path,
        text,
        BOUNCEKEEPER_ENDPOINTS_MY_CRM_URL="https://new.example.org/",
        BOUNCEKEEPER_ENDPOINTS_MY_CRM_STATUSES="complained, unsubscribed",
    )
    assert (other.url, other.statuses) == ("https://new.example.org/", ("complained", "unsubscribed"))
    with pytest.raises(ImpossibleSetting, match=r"as `\[endpoints.NAME\]`"):
        endpoints(tmp_path, text, BOUNCEKEEPER_ENDPOINTS_OTHER_URL="https://new.example.org/")


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ('url = ""', "crm.url is missing"),
        ("url = 7", "crm.url is missing"),
        ('url = "crm.example.org/hooks"', "not a URL of a web server"),
        ('url = "ftp://crm.example.org/"', "not a URL of a web server"),
        ('url = "https://[::1/"', "is not a URL"),
        ('url = "https://crm.example.org:99999/"', "is not a URL"),
        ('url = "https://user:hush@crm.example.org/"', "webhooks are signed instead"),
        ('url = "http://crm.example.org/"', "allow_http = true"),
        ('url = "http://10.0.0.7/"', "allow_http = true"),
        ("secrets = []", "secrets .or secrets_files. is missing: make one with `echo whsec_"),
        ('secrets = ["hush"]', "not whsec_ and base64"),
        ('secrets = ["whsec_aHVzaA=="]', "24 bytes or more"),
        ('secrets = ["whsec_…"]', "not whsec_ and base64"),
        ('secrets_files = ["absent"]', "cannot be read"),
        ('statuses = ["complaint"]', "did you mean complained"),
        ("allow_http = 1", "must be true or false"),
        ('stauses = ["complained"]', "did you mean statuses"),
    ],
)
def test_a_mistake_is_reported_with_its_remedy_and_without_the_secret(tmp_path: Path, line: str, remedy: str) -> None:
    values = {"url": '"https://crm.example.org/"', "secrets": f'["{SECRET}"]'}
    name, _, value = line.partition(" = ")
    if name == "secrets_files":
        del values["secrets"]
    text = "\n".join(["[endpoints.crm]", *(f"{key} = {each}" for key, each in {**values, name: value}.items())])
    with pytest.raises(ImpossibleSetting, match=remedy) as told:
        endpoints(tmp_path, text)
    assert "hush" not in str(told.value)


def test_plain_http_beyond_this_machine_must_be_allowed(tmp_path: Path) -> None:
    text = f'[endpoints.crm]\nurl = "http://crm.internal/"\nallow_http = true\nsecrets = ["{SECRET}"]\n'
    assert endpoints(tmp_path, text)[0].url == "http://crm.internal/"


@pytest.mark.parametrize("text", ["endpoints = 1", "[endpoints]\ncrm = 1", '[endpoints."a b"]\nurl = "https://x/"'])
def test_what_is_no_table_of_endpoints_is_reported(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImpossibleSetting, match="endpoints"):
        endpoints(tmp_path, text)
