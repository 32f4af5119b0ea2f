import pytest

from app.jobs.leases import WORKER_SILENCE_SECONDS, harmless_silence_seconds, heartbeat_seconds, maintenance_seconds


@pytest.mark.parametrize("lease", [3, 10, 30, 3_600])
def test_two_heartbeats_may_fail_before_a_lease_runs_out_or_a_worker_counts_as_gone(lease: int) -> None:
    assert 3 * heartbeat_seconds(lease) <= min(lease, WORKER_SILENCE_SECONDS)


@pytest.mark.parametrize("lease", [3, 10, 30, 3_600])
def test_in_a_harmless_silence_no_lease_runs_out(lease: int) -> None:
    assert heartbeat_seconds(lease) + harmless_silence_seconds(lease) <= lease


@pytest.mark.parametrize("lease", [3, 4, 30])
def test_lost_leases_are_looked_for_every_few_whole_seconds(lease: int) -> None:
    assert 1 <= maintenance_seconds(lease) <= lease / 3
