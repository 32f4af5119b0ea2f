"""How long a worker may be silent: leases, heartbeats and retries.

A worker holds a lease on every job that it runs, and renews it at each heartbeat. A lease that nobody renews runs out,
and another worker takes the job. The length of a lease is a setting (DIGRESS_LEASE_SECONDS); all other times follow from
it, or from how soon `GET /health/ready` has to notice that a worker is gone.
"""

# A worker that has not been heard of for so long does not count as alive.
WORKER_SILENCE_SECONDS = 15
# After that its name is forgotten, so that names do not pile up.
WORKER_FORGOTTEN_SECONDS = 10 * WORKER_SILENCE_SECONDS
# How often a job is tried again after a worker died while it ran the job.
MAX_RETRIES = 6


def heartbeat_seconds(lease_seconds: float) -> float:
    """The time between two heartbeats: a third of what must not pass in silence, so two of them may fail."""
    return min(lease_seconds, WORKER_SILENCE_SECONDS) / 3


def harmless_silence_seconds(lease_seconds: float) -> float:
    """A silence so short that no lease runs out in it, since leases were renewed at most a heartbeat before."""
    return 2 / 3 * lease_seconds


def maintenance_seconds(lease_seconds: int) -> int:
    """The time between two looks for leases that have run out. RQ counts in whole seconds."""
    return max(lease_seconds // 3, 1)
