"""What the configuration of every source is checked for, whatever its provider."""

from schemas.source import Secret, Source
from worker.providers.authentication.scheme import check_common, is_open

HELP = "add one to secrets"


def test_only_the_word_none_opens_a_source() -> None:
    assert is_open(Source(name="s", provider="p", authentication="none"))
    assert not is_open(Source(name="s", provider="p"))
    assert not is_open(Source(name="s", provider="p", authentication="None"))


def test_a_source_without_a_secret_is_reported_unless_it_is_open() -> None:
    (problem,) = check_common(Source(name="s", provider="p"), secret_help=HELP)
    assert 'authentication = "none"' in problem
    assert check_common(Source(name="s", provider="p", authentication="none"), secret_help=HELP) == []
    assert check_common(Source(name="s", provider="p", secrets=(Secret("s3cret"),)), secret_help=HELP) == []


def test_a_provider_with_published_keys_needs_no_secret() -> None:
    assert check_common(Source(name="s", provider="p"), secret_help=HELP, secret_required=False) == []


def test_a_way_of_authentication_that_the_provider_has_not_is_reported_with_those_that_it_has() -> None:
    source = Source(name="s", provider="p", authentication="xyz", secrets=(Secret("x"),))
    (problem,) = check_common(source, secret_help=HELP, schemes=("", "basic"))
    assert 'write "basic" or "none", or leave it out for the provider\'s own way' in problem


def test_a_misspelt_way_of_authentication_is_told_what_was_meant_and_never_to_open_the_source() -> None:
    for given, told in (("Beaer", 'did you mean "bearer"?'), ("non", 'write "bearer" or "none", or leave it out')):
        source = Source(name="s", provider="p", authentication=given, secrets=(Secret("x"),))
        (problem,) = check_common(source, secret_help=HELP, schemes=("", "bearer"))
        assert told in problem


def test_an_empty_secret_and_a_network_that_is_none_are_reported() -> None:
    source = Source(name="s", provider="p", secrets=(Secret("x"), Secret("")), allowed_addresses=("192.0.2.0/99",))
    empty, network = check_common(source, secret_help=HELP)
    assert "empty" in empty
    assert "192.0.2.0/99" in network
