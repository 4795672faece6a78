"""Settings: one order of places, every mistake at once with its remedy, no secret ever repeated."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from schemas.source import Secret
from worker.errors import ImpossibleSetting
from worker.settings.configuration import embedded_postgres_url, load_settings
from worker.settings.declarations import setting_declarations
from worker.settings.page import renewed
from worker.settings.tree import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
POSTGRES = "postgresql://keeper:geheimnis@db.example.org:5432/keeper"
QUEUE = "amqp://keeper:auchgeheim@mq.example.org/"
WHOLE = f"""
[postgres]
url = "{POSTGRES}"
[queue]
url = "{QUEUE}"
"""


def load(
    toml: str = WHOLE,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Settings:
    config_file = None
    if folder is not None:
        config_file = folder / "bouncekeeper.toml"
        config_file.write_text(toml)
    return load_settings(config_file=config_file, environment=environment or {}, overrides=overrides or {})


def mistakes(
    toml: str, folder: Path, environment: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None
) -> str:
    with pytest.raises(ImpossibleSetting) as caught:
        load(toml, folder=folder, environment=environment, overrides=overrides)
    return str(caught.value)


class TestPrecedence:
    def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(self, tmp_path: Path) -> None:
        toml = WHOLE + "[receiver]\nport = 1001\nretry_after_seconds = 11\nhost = '127.0.0.2'\n"
        environment = {"BOUNCEKEEPER_RECEIVER_PORT": "1002", "BOUNCEKEEPER_RECEIVER_RETRY_AFTER_SECONDS": "12"}
        receiver = load(toml, folder=tmp_path, environment=environment, overrides={"receiver.port": "1003"}).receiver
        assert (receiver.port, receiver.retry_after_seconds, receiver.host) == (1003, 12, "127.0.0.2")
        assert receiver.group_max_envelopes == 256

    def test_an_empty_variable_is_one_that_was_not_set(self, tmp_path: Path) -> None:
        settings = load(WHOLE, folder=tmp_path, environment={"BOUNCEKEEPER_RECEIVER_PORT": ""})
        assert settings.receiver.port == 8025

    def test_every_setting_can_be_told_by_the_environment_alone(self) -> None:
        texts = {
            declaration.environment_name: "," if declaration.several else str(declaration.default)
            for declaration in setting_declarations()
        }
        texts["BOUNCEKEEPER_POSTGRES_URL"] = POSTGRES
        texts["BOUNCEKEEPER_QUEUE_URL"] = QUEUE
        settings = load(environment=texts)
        assert settings.postgres.url.reveal() == POSTGRES
        assert (
            settings.receiver
            == load(
                environment={
                    "BOUNCEKEEPER_POSTGRES_URL": POSTGRES,
                    "BOUNCEKEEPER_QUEUE_URL": QUEUE,
                }
            ).receiver
        )

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("yes", True), ("off", False)])
    def test_truth_can_be_spelt_as_people_do(self, text: str, value: bool) -> None:  # noqa: FBT001 - a parameter of the test
        settings = load(
            environment={
                "BOUNCEKEEPER_POSTGRES_URL": POSTGRES,
                "BOUNCEKEEPER_QUEUE_URL": QUEUE,
                "BOUNCEKEEPER_LOGS_SHOW_ADDRESSES": text,
            }
        )
        assert settings.logs.show_addresses is value

    def test_lists_are_joined_by_commas_in_the_environment(self, tmp_path: Path) -> None:
        settings = load(
            WHOLE, folder=tmp_path, environment={"BOUNCEKEEPER_RECEIVER_TRUSTED_PROXIES": "10.0.0.0/8, ::1/128"}
        )
        assert settings.receiver.trusted_proxies == ("10.0.0.0/8", "::1/128")

    def test_the_data_folder_of_a_file_is_relative_to_the_file(self, tmp_path: Path) -> None:
        assert load('data_directory = "data"\n' + WHOLE, folder=tmp_path).data_directory == str(tmp_path / "data")

    def test_the_file_with_the_words_of_the_unsubscribe_page_is_relative_to_the_file(self, tmp_path: Path) -> None:
        toml = WHOLE + '[unsubscribe]\nwords_file = "words.toml"\nurl = "http://127.0.0.1:8025"\n'
        assert load(toml, folder=tmp_path).unsubscribe.words_file == str(tmp_path / "words.toml")


class TestSecrets:
    def test_a_secret_comes_from_a_file_beside_the_configuration(self, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(POSTGRES + "\n")
        toml = f'[postgres]\nurl_file = "url"\n[queue]\nurl = "{QUEUE}"\n'
        assert load(toml, folder=tmp_path).postgres.url == Secret(POSTGRES)

    def test_a_secret_comes_from_a_file_named_by_the_environment(self, tmp_path: Path) -> None:
        for name, text in (("postgres", POSTGRES), ("queue", QUEUE), ("old", "a" * 20), ("new", "b" * 20)):
            (tmp_path / name).write_text(text)
        settings = load(
            environment={
                "BOUNCEKEEPER_POSTGRES_URL_FILE": str(tmp_path / "postgres"),
                "BOUNCEKEEPER_QUEUE_URL_FILE": str(tmp_path / "queue"),
                "BOUNCEKEEPER_API_TOKENS_FILES": f"{tmp_path / 'old'},{tmp_path / 'new'}",
            }
        )
        assert settings.queue.url == Secret(QUEUE)
        assert settings.api.tokens == (Secret("a" * 20), Secret("b" * 20))

    def test_a_variable_replaces_the_file_that_the_configuration_names(self, tmp_path: Path) -> None:
        toml = f'[postgres]\nurl_file = "nowhere"\n[queue]\nurl = "{QUEUE}"\n'
        settings = load(toml, folder=tmp_path, environment={"BOUNCEKEEPER_POSTGRES_URL": POSTGRES})
        assert settings.postgres.url == Secret(POSTGRES)

    def test_saying_it_twice_in_one_place_is_a_mistake(self, tmp_path: Path) -> None:
        toml = WHOLE.replace("[queue]", 'url_file = "x"\n[queue]')
        assert "postgres.url: url and url_file are both set" in mistakes(toml, tmp_path)

    def test_no_secret_stands_in_a_repr_or_in_a_mistake(self, tmp_path: Path) -> None:
        toml = WHOLE + '[api]\ntokens = ["kurz-geheim"]\n[receiver]\nport = 0\n'
        told = mistakes(toml, tmp_path)
        whole = repr(load(WHOLE, folder=tmp_path))
        for secret in ("geheimnis", "auchgeheim", "kurz-geheim"):
            assert secret not in told + whole

    def test_a_text_that_is_not_a_url_is_not_repeated(self, tmp_path: Path) -> None:
        told = mistakes('[postgres]\nurl = "mysql://me:geheimnis@db"\n[queue]\nurl = "http://geheimnis@mq"\n', tmp_path)
        assert "postgres.url is not the URL of a Postgres" in told
        assert "queue.url is not the URL of a RabbitMQ" in told
        assert "geheimnis" not in told

    def test_several_hosts_of_postgres_need_to_say_that_one_is_wanted_that_takes_writes(self, tmp_path: Path) -> None:
        url = "postgresql://me:geheimnis@db1:5432,db2:5433/mine"
        queue = "[queue]\nadapter = 'postgres'\n"
        told = mistakes(f'[postgres]\nurl = "{url}"\n{queue}', tmp_path)
        assert "postgres.url names several hosts without target_session_attrs" in told
        assert "geheimnis" not in told
        told = mistakes(f'[postgres]\nurl = "{url}?target_session_attrs=prefer-standby"\n{queue}', tmp_path)
        assert "asks for prefer-standby by target_session_attrs, and each process writes" in told
        for wanted in ("read-write", "primary", "any"):
            whole = f"{url}?target_session_attrs={wanted}"
            assert load(f'[postgres]\nurl = "{whole}"\n{queue}', folder=tmp_path).postgres.url == Secret(whole)

    def test_a_secret_of_the_wrong_type_is_not_repeated(self, tmp_path: Path) -> None:
        told = mistakes("[postgres]\nurl = 4711\n[api]\ntokens = [4712]\n[queue]\nadapter = 'postgres'\n", tmp_path)
        assert "postgres.url (from " in told
        assert "must be a text" in told
        assert "4711" not in told
        assert "4712" not in told

    def test_one_text_where_a_list_is_wanted_is_reported(self, tmp_path: Path) -> None:
        told = mistakes(WHOLE + "[api]\ntokens = 'a-single-token-of-the-api'\n", tmp_path)
        assert "is one text: write a list, tokens = [" in told
        assert "a-single-token" not in told

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("\n")
        toml = f'[postgres]\nurl_file = "nowhere"\n[queue]\nurl = "{QUEUE}"\n[api]\ntokens_files = ["empty"]\n'
        told = mistakes(toml, tmp_path)
        assert f"{tmp_path / 'nowhere'}, which cannot be read" in told
        assert f"{tmp_path / 'empty'}, which is empty" in told

    def test_a_secret_that_this_user_may_not_read_is_named_with_owner_mode_and_remedy(self) -> None:
        """As the container's user finds one of mode 600, made by the one who put it there."""
        with TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            secret = folder / "sendgrid"
            secret.write_text("whsec_0123456789abcdef")
            secret.chmod(0o600 if os.geteuid() == 0 else 0)
            config = folder / "bouncekeeper.toml"
            config.write_text(WHOLE + '[sources.sendgrid]\nprovider = "sendgrid"\nsecrets_files = ["sendgrid"]\n')
            with suppress(ImpossibleSetting):  # imports what the other user, kept out of Python's folder, cannot
                load_settings(config_file=config, environment={}, overrides={})
            with as_another_user(), pytest.raises(ImpossibleSetting) as caught:
                load_settings(config_file=config, environment={}, overrides={})
        told = str(caught.value)
        assert f"{secret}, which user " in told
        assert f"it belongs to user {os.geteuid()}, mode {'600' if os.geteuid() == 0 else '0'}" in told
        assert "`deploy/make-secrets`" in told
        assert "whsec" not in told


@contextmanager
def as_another_user() -> Iterator[None]:
    """Root may read everything; so it is somebody else inside the block."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class TestMistakes:
    @pytest.mark.parametrize(
        ("toml", "told"),
        [
            ("[receiver]\nprot = 1\n", "receiver.prot in {file} is unknown: did you mean port?"),
            ("[receiver]\nreached_at = 'receiver:8025'\n", "receiver.reached_at is 'receiver:8025': write a URL"),
            ("[api]\nreached_at = 'http://api:8026/v1'\n", "api.reached_at is 'http://api:8026/v1': write a URL"),
            ("[reciever]\nport = 1\n", "reciever in {file} is unknown: did you mean receiver?"),
            ("receiver = 1\n", "receiver in {file} must be a table"),
            ("[receiver]\nport = 99999\n", "receiver.port (from {file}) is 99999"),
            ('[receiver]\nport = "8025"\n', "receiver.port (from {file}) is '8025': it must be a whole number"),
            ("[receiver]\nbody_timeout_seconds = 0\n", "more than 0"),
            ("[processor]\nbatch_max_events = true\n", "processor.batch_max_events"),
            ('[logs]\nlevel = "loud"\n', "it must be debug or info or warning or error"),
            ('[receiver]\ntrusted_proxies = ["10.0.0.1/8"]\n', "write 10.0.0.0/8"),
            ('[unsubscribe]\nsecrets = ["short"]\n', "fewer than 32 characters"),
            ('[unsubscribe]\nurl = "http://bounces.example.com"\n', "only with https"),
            ('[unsubscribe]\nurl = "bounces.example.com"\n', "write the https URL of the receivers"),
            ('[unsubscribe]\nurl = "https://x.example?a=b"\n', "write the https URL of the receivers"),
            ('[receiver]\ntrusted_proxies = ["proxy"]\n', "it must be an address or a network"),
            ('[receiver]\ntrusted_proxies = ["0.0.0.0/0"]\n', "all callers could choose their address"),
            ('[receiver]\ntrusted_proxies = ["::/0"]\n', "name only the proxy in front of the receivers"),
            ("[receiver]\nmax_body_bytes = 20_000_000\n", "is larger than receiver.max_decompressed_bytes"),
            ("[receiver]\nmax_decompressed_bytes = 20_000_000\n", "RabbitMQ accepts at most 16777216 bytes"),
            ("[api]\nport = 8025\n", "receiver.port and api.port are both 8025"),
            ("[receiver]\nanswer_timeout_seconds = 4\n", "queue.confirm_timeout_seconds (5) is not shorter"),
            ("[policy]\npreset = 'mailchmip'\n", "mailchimp"),
            ("sources = 1\n", "sources must be tables"),
        ],
    )
    def test_each_is_reported_with_its_remedy(self, tmp_path: Path, toml: str, told: str) -> None:
        text = toml + WHOLE if not toml.startswith("[") else WHOLE + toml
        assert told.format(file=tmp_path / "bouncekeeper.toml") in mistakes(text, tmp_path)

    def test_all_are_reported_at_once(self, tmp_path: Path) -> None:
        toml = '[receiver]\nprot = 1\nport = 0\n[logs]\nlevel = "loud"\n[queue]\nadapter = "kafka"\n'
        told = mistakes(toml, tmp_path, environment={"BOUNCEKEEPER_RECEIVER_HOTS": "x"})
        assert "has 6 mistakes" in told
        for part in ("receiver.prot", "receiver.port", "logs.level", "queue.adapter", "RECEIVER_HOTS", "postgres.url"):
            assert part in told

    def test_those_of_policy_and_sources_are_reported_with_the_others_at_once(self, tmp_path: Path) -> None:
        toml = """
            [logs]
            level = "loud"
            [policy]
            max_event_age = "soon"
            [policy.rules.mailbx_full]
            strikes = 8
            [policy.rules.temporary]
            strikes = 0
            window = 30
            [sources.shop]
            provider = "mailgun"
            secrets = "a-key-of-mailgun"
            allowed_addresses = "203.0.113.7"
            [sources.other]
            provider = "postmrk"
            """
        told = mistakes(WHOLE + toml, tmp_path)
        assert "has 8 mistakes" in told
        for part in (
            "logs.level",
            "max_event_age",
            "did you mean [policy.rules.mailbox_full]?",
            "policy rule 'temporary': strikes is 0",
            "policy rule 'temporary': window is 30",
            'sources.shop.secrets is one text: write a list, secrets = ["…"]',
            'sources.shop.allowed_addresses is one text: write a list, allowed_addresses = ["…"]',
            "did you mean postmark?",
        ):
            assert part in told
        assert "a-key-of" not in told

    def test_rabbitmq_needs_a_url_and_postgres_none(self, tmp_path: Path) -> None:
        postgres = f'[postgres]\nurl = "{POSTGRES}"\n'
        assert "queue.url is missing" in mistakes(postgres, tmp_path)
        assert "remove it" in mistakes(WHOLE + 'adapter = "postgres"\n', tmp_path)
        assert load(postgres + '[queue]\nadapter = "postgres"\n', folder=tmp_path).queue.url is None

    def test_a_misspelt_variable_is_reported_with_what_was_meant(self, tmp_path: Path) -> None:
        told = mistakes(WHOLE, tmp_path, environment={"BOUNCEKEEPER_RECIEVER_PORT": "1"})
        assert "the variable BOUNCEKEEPER_RECIEVER_PORT is unknown: did you mean BOUNCEKEEPER_RECEIVER_PORT?" in told

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("BOUNCEKEEPER_API_PORT", "tcp://10.0.0.7:8026"),
            ("BOUNCEKEEPER_API_SERVICE_HOST", "10.0.0.7"),
            ("BOUNCEKEEPER_API_PORT_8026_TCP", "tcp://10.0.0.7:8026"),
        ],
    )
    def test_the_service_links_of_kubernetes_are_recognised(self, tmp_path: Path, name: str, value: str) -> None:
        assert "enableServiceLinks: false" in mistakes(WHOLE, tmp_path, environment={name: value})

    def test_an_unknown_override_is_a_mistake(self, tmp_path: Path) -> None:
        assert "did you mean receiver.port?" in mistakes(WHOLE, tmp_path, overrides={"receiver.prot": "1"})

    def test_a_file_that_is_no_toml_or_not_there_is_reported(self, tmp_path: Path) -> None:
        assert "is not TOML" in mistakes("[receiver\n", tmp_path)
        with pytest.raises(ImpossibleSetting, match="cannot be read"):
            load_settings(config_file=tmp_path / "nowhere.toml", environment={}, overrides={})


class TestNeeds:
    def test_what_a_command_does_not_need_is_not_missed(self) -> None:
        settings = load_settings(
            config_file=None,
            environment={"BOUNCEKEEPER_POSTGRES_URL": POSTGRES},
            overrides={},
            needs=("postgres",),
        )
        assert settings.postgres.url == Secret(POSTGRES)
        assert settings.queue.url is None

    def test_without_a_url_the_embedded_postgres_is_found_where_up_keeps_it(self, tmp_path: Path) -> None:
        assert embedded_postgres_url(tmp_path) is None
        folder = tmp_path / "postgres"
        folder.mkdir()
        (folder / "password").write_text("p/w")
        (folder / "port").write_text("5433")
        settings = load_settings(
            config_file=None, environment={}, overrides={"data_directory": str(tmp_path)}, needs=("postgres",)
        )
        assert settings.postgres.url.reveal() == "postgresql://postgres:p%2Fw@127.0.0.1:5433/bouncekeeper"

    def test_who_starts_postgres_is_not_asked_for_its_url(self, tmp_path: Path) -> None:
        settings = load_settings(
            config_file=None,
            environment={"BOUNCEKEEPER_QUEUE_ADAPTER": "postgres"},
            overrides={"data_directory": str(tmp_path)},
            starts_postgres=True,
        )
        assert settings.postgres.url == Secret("")


def test_every_setting_says_what_it_is_for() -> None:
    for declaration in setting_declarations():
        assert declaration.says.endswith("."), declaration.path


def test_the_page_lists_every_setting_as_it_is() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert renewed(page) == page, "run `python -m worker.settings.page docs/configuration.md`"


@pytest.mark.parametrize(
    ("summary", "mistake"),
    [
        ('smtp_host = "mx.example"', "summary.sender is ''"),
        ('smtp_host = "mx.example"\nsender = "nobody"', "summary.sender is 'nobody'"),
        ('smtp_host = "mx.example"\nsender = "a@b.example"\nsmtp_user = "me"', "summary.smtp_password is missing"),
        (
            'smtp_host = "mx.example"\nsmtp_tls = "none"\nsender = "a@b.co"\nsmtp_user = "me"\nsmtp_password = "x"',
            "would go to mx.example unencrypted",
        ),
    ],
)
def test_settings_of_the_summary_that_cannot_work_name_the_remedy(summary: str, mistake: str, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleSetting, match=re.escape(mistake)):
        load(f"{WHOLE}\n[summary]\n{summary}\n", folder=tmp_path)
