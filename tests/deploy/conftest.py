"""The chart, rendered once for each set of values."""

import pytest

from tests.deploy.helm_binaries import HelmBinaries, fetch_helm
from tests.deploy.rendered_chart import VALUE_SETS, Render, RenderedChart, render


@pytest.fixture(scope="session")
def binaries() -> HelmBinaries:
    return fetch_helm()


@pytest.fixture(scope="session")
def rendered(binaries: HelmBinaries, tmp_path_factory: pytest.TempPathFactory) -> Render:
    made: dict[str, RenderedChart] = {}

    def render_set(name: str) -> RenderedChart:
        if name not in made:
            made[name] = render(binaries, tmp_path_factory.mktemp("chart"), *VALUE_SETS[name])
        return made[name]

    return render_set


@pytest.fixture(params=VALUE_SETS)
def chart(request: pytest.FixtureRequest, rendered: Render) -> RenderedChart:
    """The chart of each set of values in turn."""
    return rendered(request.param)
