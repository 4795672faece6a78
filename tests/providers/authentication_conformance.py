"""Whom every provider must let in, and whom not."""

from datetime import timedelta

import msgspec

from schemas.source import Secret
from tests.providers.provider_under_test import ProviderUnderTest
from tests.providers.sample_events import NOW
from worker.providers.registry import PROVIDERS
from worker.providers.verdict import Accepted, Refused


class AuthenticationConformance(ProviderUnderTest):
    """See tests.providers.conformance.ProviderConformance."""

    def test_it_is_in_the_registry_under_its_own_name(self) -> None:
        assert PROVIDERS[self.provider_name].name == self.provider_name
        assert self.new_sender().provider == self.provider_name

    def test_the_source_that_the_vendor_describes_has_no_problems(self) -> None:
        assert self.provider.check_source(self.new_sender().source("first")) == []

    def test_an_authentic_webhook_is_accepted(self) -> None:
        sender = self.new_sender()
        verdict = self.judge(self.request(sender), sender.source("first"), sender)
        assert isinstance(verdict, Accepted)

    def test_a_forged_webhook_is_refused(self) -> None:
        sender = self.new_sender()
        verdict = self.judge(self.forged(self.request(sender)), sender.source("first"), sender)
        assert isinstance(verdict, Refused)
        assert verdict.http_status >= 400

    def test_a_webhook_without_proof_is_refused(self) -> None:
        sender = self.new_sender()
        verdict = self.judge(self.unsigned(self.request(sender)), sender.source("first"), sender)
        assert isinstance(verdict, Refused)

    def test_a_refusal_never_shows_a_secret(self) -> None:
        sender = self.new_sender()
        source = sender.source("first")
        for request in (self.forged(self.request(sender)), self.unsigned(self.request(sender))):
            verdict = self.judge(request, source, sender)
            assert isinstance(verdict, Refused)
            assert all(secret.reveal() not in repr(verdict) for secret in source.secrets if secret.reveal())

    def test_age_counts_only_where_the_vendor_signs_the_time(self) -> None:
        sender = self.new_sender()
        request = self.request(sender)
        later = NOW + (self.max_age or timedelta(days=400)) + timedelta(minutes=1)
        verdict = self.judge(request, sender.source("first"), sender, now=later)
        if self.max_age is None:
            assert isinstance(verdict, Accepted)
        else:
            assert isinstance(verdict, Refused)
            assert verdict.reason == "stale"
            just_in_time = self.judge(request, sender.source("first"), sender, now=NOW + self.max_age)
            assert isinstance(just_in_time, Accepted)

    def test_a_signed_time_may_be_five_minutes_ahead_unless_the_source_allows_more(self) -> None:
        if self.max_age is None:
            return
        sender = self.new_sender()
        request, source = self.request(sender), sender.source("first")
        assert isinstance(self.judge(request, source, sender, now=NOW - timedelta(minutes=5)), Accepted)
        too_early = NOW - timedelta(minutes=5, seconds=1)
        verdict = self.judge(request, source, sender, now=too_early)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "stale"
        wider = msgspec.structs.replace(source, options={**source.options, "max_ahead_seconds": 600})
        assert self.provider.check_source(wider) == []
        assert isinstance(self.judge(request, wider, sender, now=too_early), Accepted)

    def test_while_a_secret_is_rotated_both_the_old_and_the_new_are_accepted(self) -> None:
        old, new = self.new_sender(), self.new_sender()
        secrets = (*old.secrets_for_source(), *new.secrets_for_source())
        both = msgspec.structs.replace(new.source("first"), secrets=secrets)
        for sender in (old, new):
            assert isinstance(self.judge(self.request(sender), both, sender), Accepted)

    def test_an_open_source_takes_what_carries_no_proof(self) -> None:
        sender = self.new_sender()
        source = msgspec.structs.replace(sender.source("first"), authentication="none", secrets=())
        assert isinstance(self.judge(self.unsigned(self.request(sender)), source, sender), Accepted)

    def test_a_callers_address_that_is_not_listed_is_refused_whatever_it_proves(self) -> None:
        sender = self.new_sender()
        source = sender.source("first")
        elsewhere = msgspec.structs.replace(source, allowed_addresses=("198.51.100.0/24",))
        verdict = self.judge(self.request(sender), elsewhere, sender)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "address_not_allowed"
        here = msgspec.structs.replace(source, allowed_addresses=("192.0.2.0/24",))
        assert isinstance(self.judge(self.request(sender), here, sender), Accepted)

    def test_an_unknown_way_of_authentication_is_reported_before_it_can_let_anybody_in(self) -> None:
        source = msgspec.structs.replace(self.new_sender().source("first"), authentication="nothing")
        assert self.provider.check_source(source)

    def test_an_empty_secret_is_reported(self) -> None:
        source = msgspec.structs.replace(self.new_sender().source("first"), secrets=(Secret(""),))
        assert self.provider.check_source(source)
