"""PromQL over our own metrics. A metric or label that worker/process/metrics.py does not declare is an error here."""

from collections.abc import Sequence

from msgspec import Struct, structs
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from deploy.dashboards.generator.log_query import UndeclaredNameError

CHOSEN = ('job=~"$job"', 'instance=~"$instance"')
INTERVAL = "$__rate_interval"


class Series(Struct, frozen=True, kw_only=True):
    """The time series of one metric."""

    metric: MetricWrapperBase
    matchers: tuple[str, ...] = CHOSEN

    def where(self, label: str, operator: str, value: str) -> "Series":
        """Those whose label compares so."""
        self._check((label,))
        return structs.replace(self, matchers=(*self.matchers, f'{label}{operator}"{value}"'))

    def for_alert(self) -> "Series":
        """The same of all processes: an alert has no reader who chose some."""
        return structs.replace(self, matchers=tuple(one for one in self.matchers if one not in CHOSEN))

    def rate(self, *by: str, over: str = INTERVAL) -> str:
        """Of a counter: how many a second."""
        return _aggregated("sum", f"rate({self._selected(Counter)}[{over}])", by, self)

    def increase(self, *by: str, over: str = INTERVAL, offset: str = "") -> str:
        """Of a counter: how many in the interval."""
        moved = f" offset {offset}" if offset else ""
        return _aggregated("sum", f"increase({self._selected(Counter)}[{over}]{moved})", by, self)

    def born(self, *by: str, over: str) -> str:
        """Of a counter: the value of those that came into being within the time."""
        selected = self._selected(Counter)
        return _aggregated("sum", f"{selected} unless {selected} offset {over}", by, self)

    def highest(self, *by: str) -> str:
        """Of a gauge: the highest value of all processes."""
        return _aggregated("max", self._selected(Gauge), by, self)

    def lowest(self, *by: str) -> str:
        """Of a gauge: the lowest value of all processes."""
        return _aggregated("min", self._selected(Gauge), by, self)

    def total(self, *by: str) -> str:
        """Of a gauge: the sum over all processes."""
        return _aggregated("sum", self._selected(Gauge), by, self)

    def quantile(self, share: float, *by: str, over: str = INTERVAL) -> str:
        """Of a histogram."""
        self._check(by)
        rates = f"rate({self._selected(Histogram)}[{over}])"
        return f"histogram_quantile({share:g}, sum by ({', '.join(('le', *by))}) ({rates}))"

    def calls(self, *by: str, over: str = INTERVAL) -> str:
        """Of a histogram: how many observations a second."""
        buckets = self._selected(Histogram)
        return _aggregated("sum", f"rate({buckets.replace('_bucket', '_count', 1)}[{over}])", by, self)

    def check(self, labels: Sequence[str]) -> None:
        """Raises UndeclaredNameError if the metric lacks one of the labels."""
        self._check(labels)

    def _check(self, labels: Sequence[str]) -> None:
        for label in labels:
            if label not in (*label_names(self.metric), "instance", "job"):
                raise UndeclaredNameError(
                    f"{exposed_name(self.metric)} has no label {label!r}: worker/process/metrics.py declares them"
                )

    def _selected(self, kind: type[MetricWrapperBase]) -> str:
        if not isinstance(self.metric, kind):
            raise TypeError(f"{exposed_name(self.metric)} is a {type(self.metric).__name__}, not a {kind.__name__}")
        matchers = f"{{{', '.join(self.matchers)}}}" if self.matchers else ""
        return f"{exposed_name(self.metric)}{matchers}"


def series(metric: MetricWrapperBase) -> Series:
    """The time series of a metric of worker/process/metrics.py."""
    return Series(metric=metric)


def exposed_name(metric: MetricWrapperBase) -> str:
    """What Prometheus knows it by; of a histogram, its buckets."""
    name: str = metric._name  # noqa: SLF001 - the library tells it nowhere else
    if isinstance(metric, Counter):
        return f"{name}_total"
    return f"{name}_bucket" if isinstance(metric, Histogram) else name


def label_names(metric: MetricWrapperBase) -> tuple[str, ...]:
    """Those that worker/process/metrics.py gives it."""
    return tuple(metric._labelnames)  # noqa: SLF001 - the library tells them nowhere else


def _aggregated(how: str, inner: str, by: Sequence[str], of: Series) -> str:
    of.check(by)
    return f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"
