"""Metrics: what a node counts, kept as plain numbers and shown to Prometheus when asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from ._errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric as Family

MAX_SERIES: Final = 1024  # label sets of one metric: peers choose some labels, so they are bounded
_OVERFLOW: Final = "_other"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")

Kind = Literal["counter", "gauge"]
M = TypeVar("M", "Counter", "Gauge")


class _Metric:
    """Values by label set, no more than `MAX_SERIES` of them."""

    kind: Kind

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name = name
        self.text = text
        self.labels: tuple[str, ...] = tuple(labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def value(self, **labels: object) -> float:
        """What the series of these labels is at; 0 where there is none yet."""
        return self._values.get(self._key(labels), 0.0)

    def samples(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Each label set with its value."""
        yield from list(self._values.items())

    def _key(self, labels: dict[str, object]) -> tuple[str, ...]:
        if not labels and not self.labels:
            return ()
        try:
            key = tuple(str(labels[label]) for label in self.labels)
        except KeyError:
            key = ()
        if len(key) != len(self.labels) or len(labels) != len(self.labels):
            raise PluginError(
                f"metric {self.name} has the labels {list(self.labels)}, not {list(labels)}"
            )
        return key

    def _series(self, labels: dict[str, object]) -> tuple[str, ...]:
        key = self._key(labels)
        if key in self._values or len(self._values) < MAX_SERIES:
            return key
        return (_OVERFLOW,) * len(self.labels)


class Counter(_Metric):
    """A number that only grows; `PluginMetrics` makes it."""

    kind: Kind = "counter"

    def inc(self, amount: float = 1, **labels: object) -> None:
        """Add to the series of these labels."""
        series = self._series(labels)
        self._values[series] = self._values.get(series, 0.0) + amount


class Gauge(_Metric):
    """A number that goes up and down; `PluginMetrics` makes it."""

    kind: Kind = "gauge"

    def set(self, value: float, **labels: object) -> None:
        """Replace the value of the series of these labels."""
        self._values[self._series(labels)] = value


class Metrics:
    """Every metric of one node."""

    def __init__(self) -> None:
        self._metrics: dict[str, Counter | Gauge] = {}

    def of(self, plugin: str) -> PluginMetrics:
        """The metrics of one plugin."""
        return PluginMetrics(self, plugin)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """The counter of that full name, made when it is asked for first."""
        return self._get(Counter(name, text, labels))

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """The gauge of that full name, made when it is asked for first."""
        return self._get(Gauge(name, text, labels))

    def collect(self) -> Iterator[Family]:
        """Every metric as Prometheus wants it; `registry` calls this at each scrape."""
        from prometheus_client.core import (  # noqa: PLC0415 - 70 ms that few nodes need
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        for metric in list(self._metrics.values()):
            make: Any = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = make(metric.name, metric.text, labels=metric.labels)
            for labels, value in metric.samples():
                family.add_metric(labels, value)
            yield family

    def registry(self) -> CollectorRegistry:
        """A new Prometheus registry that shows this node's metrics and nothing else."""
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - as above

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def _get(self, fresh: M) -> M:
        known = self._metrics.setdefault(fresh.name, fresh)
        if type(known) is not type(fresh) or known.labels != fresh.labels:
            raise PluginError(f"metric {fresh.name} exists already with another kind or labels")
        return known


class PluginMetrics:
    """The metrics of one plugin, each named ``peerloom_<plugin>_<name>``."""

    def __init__(self, metrics: Metrics, plugin: str) -> None:
        self._metrics = metrics
        self._prefix = f"peerloom_{plugin.replace('-', '_')}_"

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:  # noqa: A002 - Prometheus's word
        """A counter; the same one again after the plugin was built anew."""
        return self._metrics.counter(self._full(name), help, labels)

    def gauge(self, name: str, help: str, labels: Sequence[str] = ()) -> Gauge:  # noqa: A002 - Prometheus's word
        """A gauge; the same one again after the plugin was built anew."""
        return self._metrics.gauge(self._full(name), help, labels)

    def _full(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise PluginError(f"{name!r} is no metric name: use a-z, 0-9 and _")
        return self._prefix + name
