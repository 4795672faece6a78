"""Every provider is found by its name, and each has a make-believe vendor."""

import pytest

from worker.errors import ImpossibleSetting
from worker.providers.registry import PROVIDERS, provider_named
from worker.samples.registry import SAMPLE_SENDERS


def test_a_provider_is_found_by_its_own_name() -> None:
    for name, provider in PROVIDERS.items():
        assert provider_named(name) is provider
        assert provider.name == name


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(ImpossibleSetting, match=f"use one of {', '.join(sorted(PROVIDERS))}"):
        provider_named("sendgird")


def test_every_provider_has_samples() -> None:
    assert set(SAMPLE_SENDERS) == set(PROVIDERS)
    for name, make_sender in SAMPLE_SENDERS.items():
        assert make_sender().provider == name
