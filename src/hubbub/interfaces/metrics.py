"""What Prometheus asks for, counted by operation as calls go by."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from hubbub.operations.recording import CallRecord

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SERIES_MAX: Final = 2000
OTHER: Final = "(other)"


class Metrics:
    """A `Recorder` that counts. It keeps its own numbers: they cost a tenth of bound labels."""

    behind = False

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def began(self, call: CallRecord) -> None:
        pass

    def ended(self, call: CallRecord) -> None:
        operation = call.operation_id
        buckets = self._buckets.get(operation)
        if buckets is None:
            if len(self._buckets) >= SERIES_MAX:
                operation = OTHER  # thousands of operations must not become thousands of series
            buckets = self._buckets.setdefault(operation, [0] * (len(BOUNDS_S) + 1))
            self._sums.setdefault(operation, 0.0)
        seconds = (call.ended_ns - call.created_ns) / 1e9
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._sums[operation] += seconds
        key = operation, call.status
        self._ended[key] = self._ended.get(key, 0) + 1

    def families(self) -> Iterable[Metric]:
        """The counts as Prometheus has them."""
        ended = CounterMetricFamily(
            "hubbub_calls", "Calls that ended", labels=("operation", "status")
        )
        for (operation, status), count in self._ended.items():
            ended.add_metric((operation, status), count)
        yield ended
        durations = HistogramMetricFamily(
            "hubbub_call_seconds", "From acceptance to end", labels=("operation",)
        )
        for operation, counts in self._buckets.items():
            durations.add_metric((operation,), _cumulative(counts), self._sums[operation])
        yield durations


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


class _Exposed(Collector):
    def __init__(self, metrics: Metrics, gauges: dict[str, float], totals: dict[str, float]):
        self._metrics = metrics
        self._gauges = gauges
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        yield from self._metrics.families()
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(f"hubbub_{name}", name.replace("_", " "), value)
        for name, value in self._totals.items():
            yield CounterMetricFamily(f"hubbub_{name}", name.replace("_", " "), value)


def exposition(metrics: Metrics, gauges: dict[str, float], totals: dict[str, float]) -> bytes:
    """The page that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Exposed(metrics, gauges, totals))
    return generate_latest(registry)
