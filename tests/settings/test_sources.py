"""The tables of sources: what each ESP needs is asked of its provider, and secrets may come from files."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.source import Secret, Source
from worker.errors import ImpossibleSetting
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.described import DESCRIPTION
from worker.samples.sendgrid import SendGridSamples
from worker.settings.configuration import load_settings
from worker.settings.sources import write_source

BASE = '[postgres]\nurl = "postgresql://me@db/keeper"\n[queue]\nadapter = "postgres"\n'
KEY = SendGridSamples().secrets_for_source()[0].reveal()


def load(folder: Path, tables: str, environment: dict[str, str] | None = None) -> tuple[Source, ...]:
    config_file = folder / "bouncekeeper.toml"
    config_file.write_text(BASE + tables)
    return load_settings(config_file=config_file, environment=environment or {}, overrides={}).sources


def mistakes(folder: Path, tables: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ImpossibleSetting) as caught:
        load(folder, tables, environment)
    return str(caught.value)


def test_a_source_is_read_whole(tmp_path: Path) -> None:
    (source,) = load(
        tmp_path,
        f'[sources.shop]\nprovider = "sendgrid"\naccount = "eu"\nsecrets = ["{KEY}"]\n'
        'allowed_addresses = ["203.0.113.0/24"]\n',
    )
    assert source == Source(
        name="shop",
        provider="sendgrid",
        account="eu",
        secrets=(Secret(KEY),),
        allowed_addresses=("203.0.113.0/24",),
    )


def test_secrets_come_from_files_too_one_each(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(KEY + "\n")
    newer = SendGridSamples().secrets_for_source()[0]
    (tmp_path / "new").write_text(newer.reveal())
    (source,) = load(tmp_path, '[sources.shop]\nprovider = "sendgrid"\nsecrets_files = ["old", "new"]\n')
    assert source.secrets == (Secret(KEY), newer)


def test_the_environment_replaces_the_secrets_of_a_source(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (source,) = load(
        tmp_path,
        '[sources.my-shop]\nprovider = "sendgrid"\nsecrets_files = ["nowhere"]\n',
        {"BOUNCEKEEPER_SOURCES_MY_SHOP_SECRETS": KEY},
    )
    assert source.secrets == (Secret(KEY),)


def test_keys_of_tokens_are_read_from_files_and_variables_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key-from-a-file-of-its-own\n")
    text = '[sources.loops]\nprovider = "mail"\nsecrets = ["mta:password"]\ntoken_secrets_files = ["key"]\n'
    (source,) = load(tmp_path, text)
    assert source.options == {"token_secrets": (Secret("a-key-from-a-file-of-its-own"),)}
    assert "a-key-from" not in repr(source)
    variable = {"BOUNCEKEEPER_SOURCES_LOOPS_TOKEN_SECRETS": "the-first-key-of-two, the-second-key-of-two"}
    (source,) = load(tmp_path, text, variable)
    assert source.options == {"token_secrets": (Secret("the-first-key-of-two"), Secret("the-second-key-of-two"))}
    assert 'token_secrets = ["the-first-key-of-two", "the-second-key-of-two"]' in write_source(source)


def test_pinned_certificates_are_read_from_their_files(tmp_path: Path) -> None:
    sender = AmazonSesSamples()
    wanted = sender.source("ses")
    (tmp_path / "sns.pem").write_bytes(sender.certificate_pem)
    (url,) = wanted.options["pinned_certificates"]
    (source,) = load(
        tmp_path,
        f'[sources.ses]\nprovider = "amazon_ses"\ntopics = ["{wanted.options["topics"][0]}"]\n'
        f'[sources.ses.pinned_certificates]\n"{url}" = "sns.pem"\n',
    )
    assert source.options["pinned_certificates"] == {url: sender.certificate_pem.decode().strip()}


def test_a_described_vendor_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "pigeon.toml").write_text(DESCRIPTION)
    table = '[sources.pigeon]\nprovider = "described"\nsecrets = ["a-key"]\ndescription = "{file}"\n'
    (source,) = load(tmp_path, table.format(file="pigeon.toml"))
    assert source.options == {"description": DESCRIPTION}
    assert "cannot be read" in mistakes(tmp_path, table.format(file="nowhere.toml"))
    (tmp_path / "broken.toml").write_text("name =")
    assert "sources.pigeon: description: it is no TOML" in mistakes(tmp_path, table.format(file="broken.toml"))


def test_a_source_may_say_where_its_events_tell_their_account(tmp_path: Path) -> None:
    table = f'[sources.shop]\nprovider = "mailgun"\nsecrets = ["{KEY}"]\naccount_from = "{{rule}}"\n'
    (source,) = load(tmp_path, table.format(rule="metadata.customer"))
    assert source.account_from == "metadata.customer"
    assert "account_from = 'customer' is not known here" in mistakes(tmp_path, table.format(rule="customer"))
    assert "is not a JMESPath expression" in mistakes(tmp_path, table.format(rule="raw.a["))


def test_the_rule_for_campaigns_is_checked_and_may_come_from_the_environment(tmp_path: Path) -> None:
    table = f'[sources.shop]\nprovider = "mailgun"\nsecrets = ["{KEY}"]\ncampaign_from = "{{rule}}"\n'
    (source,) = load(tmp_path, table.format(rule="tag.campaign-"))
    assert source.campaign_from == "tag.campaign-"
    environment = {"BOUNCEKEEPER_SOURCES_SHOP_CAMPAIGN_FROM": "none"}
    (source,) = load(tmp_path, table.format(rule="tag.campaign-"), environment)
    assert source.campaign_from == "none"
    assert "campaign_from = 'campaign' is not known here" in mistakes(tmp_path, table.format(rule="campaign"))


def test_a_source_may_be_for_imports(tmp_path: Path) -> None:
    table = '[sources.old]\nprovider = "mailgun"\nauthentication = "none"\n'
    assert [source.bulk for source in load(tmp_path, table)] == [False]
    assert [source.bulk for source in load(tmp_path, table + "bulk = true\n")] == [True]
    assert [source.bulk for source in load(tmp_path, table, {"BOUNCEKEEPER_SOURCES_OLD_BULK": "yes"})] == [True]


@pytest.mark.parametrize(
    "source",
    [
        Source(name="shop", provider="sendgrid", secrets=(Secret(KEY),)),
        Source(
            name="a-b_c",
            provider="postmark",
            account="Überseé",
            secrets=(Secret('me:qu"ote\\d'), Secret("me:🔑 and a line\nbreak")),
            allowed_addresses=("203.0.113.0/24", "::1/128"),
        ),
        Source(name="open", provider="mailgun", authentication="none", bulk=True),
        AmazonSesSamples().source("ses"),
    ],
    ids=lambda source: source.name,
)
def test_a_source_that_is_written_is_read_as_it_was(tmp_path: Path, source: Source) -> None:
    for pem in source.options.get("pinned_certificates", {}).values():
        (tmp_path / "certificate.pem").write_text(pem)
    (read,) = load(tmp_path, write_source(source, certificate_file="certificate.pem"))
    pinned = {url: pem.strip() for url, pem in source.options.get("pinned_certificates", {}).items()}
    assert read == replace(source, options={**source.options, **({"pinned_certificates": pinned} if pinned else {})})


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            '[sources.a]\nprovider = "sendgird"\n',
            "sources.a.provider is 'sendgird', which is unknown: did you mean sendgrid?",
        ),
        ("[sources.a]\n", "sources.a.provider is missing"),
        ('[sources.a]\nprovider = "sendgrid"\n', "sources.a: "),
        ('[sources.a]\nprovider = "sendgrid"\nsecrets = [""]\n', "holds an empty text"),
        ('[sources.a]\nprovider = "mailgun"\nsecrets = ["…"]\n', "holds the … of an example"),
        ('[sources.a]\nprovider = "ahasend"\nsecrets = ["aha-whsec-…"]\n', "write the whole secret"),
        ('[sources.a]\nprovider = "sendgrid"\nsecrets = [7]\n', "sources.a.secrets must be a list of texts"),
        ('[sources.a]\nprovider = "sendgrid"\nsecrets_files = ["nowhere"]\n', "which cannot be read"),
        ('[sources."a b"]\nprovider = "sendgrid"\n', "is not a name for a source"),
        ('[sources.a]\nprovider = "mailgun"\nsecrets = ["k"]\ncolour = "red"\n', "colour"),
        ('[sources.a]\nprovider = "mailgun"\nsecrets = ["k"]\nallowed_addresses = ["everywhere"]\n', "everywhere"),
        (
            '[sources.a]\nprovider = "mailgun"\nsecrets = ["k"]\nbulk = "later"\n',
            "sources.a.bulk is 'later': write true",
        ),
        ("[sources.a]\nprovider = 7\n", "sources.a.provider is 7: it must be a text"),
        ("[sources]\na = 1\n", "sources.a must be a table"),
    ],
)
def test_each_mistake_names_the_source(tmp_path: Path, tables: str, told: str) -> None:
    assert told in mistakes(tmp_path, tables)


def test_a_source_of_the_environment_alone_is_a_mistake(tmp_path: Path) -> None:
    told = mistakes(tmp_path, "", {"BOUNCEKEEPER_SOURCES_SHOP_SECRETS": "x"})
    assert "add its source to the configuration file" in told


def test_an_open_source_is_open_only_in_so_many_words(tmp_path: Path) -> None:
    (source,) = load(tmp_path, '[sources.a]\nprovider = "mailgun"\nauthentication = "none"\n')
    assert source.authentication == "none"
    assert "sources.a" in mistakes(tmp_path, '[sources.a]\nprovider = "mailgun"\n')


MAILBOX = (
    '[sources.reports]\nprovider = "mail"\nimap_host = "imap.example.org"\nimap_user = "bounces"\n'
    'token_secrets = ["a-key-of-the-tokens-in-the-mail"]\n'
)


def test_the_password_of_a_mailbox_is_a_secret_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n")
    places: tuple[tuple[str, dict[str, str], str], ...] = (
        ('imap_password = "inline"\n', {}, "inline"),
        ('imap_password_file = "password"\n', {}, "from a file"),
        ('imap_password = "inline"\n', {"BOUNCEKEEPER_SOURCES_REPORTS_IMAP_PASSWORD": "variable"}, "variable"),
        (
            'imap_password = "inline"\n',
            {"BOUNCEKEEPER_SOURCES_REPORTS_IMAP_PASSWORD_FILE": str(tmp_path / "password")},
            "from a file",
        ),
    )
    for line, environment, password in places:
        (source,) = load(tmp_path, MAILBOX + line, environment)
        assert source.options["imap_password"] == Secret(password)
        assert password not in repr(source)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", "imap_password is missing"),
        ("imap_password = 7\n", "imap_password must be a text"),
        ('imap_password = ""\n', "imap_password must be a text, in quotes, and not empty"),
        ('imap_password_file = "nowhere"\n', "which cannot be read"),
        ('imap_password = "a"\nimap_password_file = "b"\n', "are both set; keep one of them"),
    ],
)
def test_a_mistake_with_the_password_of_a_mailbox_names_its_remedy(tmp_path: Path, lines: str, told: str) -> None:
    assert told in mistakes(tmp_path, MAILBOX + lines)


def test_the_accounts_of_sources_are_told_without_their_secrets(tmp_path: Path) -> None:
    """The API names them, and has none of the secrets."""

    def accounts(tables: str, environment: dict[str, str]) -> tuple[str, ...]:
        config_file = tmp_path / "bouncekeeper.toml"
        config_file.write_text(BASE + tables)
        return load_settings(
            config_file=config_file, environment=environment, overrides={}, needs=("postgres", "api")
        ).source_accounts

    tables = '[sources.a]\nprovider = "sendgrid"\naccount = "{a}"\n[sources.b]\nprovider = "mailgun"\n'
    assert accounts("", {}) == ("default",)
    assert accounts(tables.format(a="shop-eu"), {}) == ("default", "shop-eu")
    assert accounts(tables.format(a="shop-eu"), {"BOUNCEKEEPER_SOURCES_B_ACCOUNT": "shop-us"}) == ("shop-eu", "shop-us")
    assert accounts(tables.format(a=""), {}) == ("default",)
    assert accounts('[sources.a]\naccount = "shop-eu"\n', {}) == ("shop-eu",)
