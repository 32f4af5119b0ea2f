from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.http.telemetry import ApiMetrics


class Wage(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("digress_wage", "Of a test.", 7)


def test_reasons_to_turn_a_job_down_are_there_before_the_first_is() -> None:
    metrics = ApiMetrics()

    for reason in ("queue_full", "rate", "quota"):
        assert metrics.registry.get_sample_value("digress_jobs_rejected_total", {"reason": reason}) == 0


def test_metrics_of_two_applications_are_their_own() -> None:
    one, other = ApiMetrics(), ApiMetrics()

    one.submitted.labels("tiny", "unconditional", "normal").inc()

    labels = {"model": "tiny", "kind": "unconditional", "priority": "normal"}
    assert one.registry.get_sample_value("digress_jobs_submitted_total", labels) == 1
    assert other.registry.get_sample_value("digress_jobs_submitted_total", labels) is None


def test_what_others_collect_is_in_the_text() -> None:
    assert b"\ndigress_wage 7.0\n" in ApiMetrics(Wage()).text()
