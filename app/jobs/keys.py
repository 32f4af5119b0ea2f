"""Names of everything that API and workers share in Redis."""

QUEUE = "digress"


JOB_FUNCTION = "worker.jobs.generate"


# Times that a job is tried again after a worker died over it.
MAX_RETRIES = 6


WORKERS_KEY = "digress:workers"


WORKER_SILENCE_SECONDS = 15


# Jobs that wait behind the next one, by tag (`app.jobs.scripts`); the tag of the job that was taken last; Σ cost of those that wait.
PENDING_KEY = "digress:pending"


CLOCK_KEY = "digress:clock"


BACKLOG_KEY = "digress:backlog"


# Names of the models that are not served though they are in the folder; how often that has changed.
UNLOADED_KEY = "digress:models:unloaded"


MODEL_CHANGES_KEY = "digress:models:changes"


# Jobs whose end somebody is to be told, by when (`app.jobs.webhooks`).
WEBHOOKS_KEY = "digress:webhooks"


def record_key(job_id: str) -> str:
    """The Redis hash that is the truth about a job."""
    return f"digress:job:{job_id}"


def created_at(job_id: str) -> float:
    """When a job was made, in seconds since 1970, by its id, which begins with the milliseconds; 0 if that is no such id."""
    try:
        return int(job_id[:12], 16) / 1000
    except ValueError:
        return 0.0


def worker_key(worker: str) -> str:
    """A worker's `WorkerReport`; it expires if the worker is silent."""
    return f"digress:worker:{worker}"


def graphs_key(job_id: str) -> str:
    """The graphs of a finished job: a list, each of them as JSON."""
    return f"digress:job:{job_id}:graphs"


def frames_key(job_id: str) -> str:
    """The ways of a job's graphs, if frames were kept: a list in the order of the graphs, each a `Trajectory` as JSON."""
    return f"digress:job:{job_id}:frames"


def events_key(job_id: str) -> str:
    """The stream of what happened to a job: fields `event` and `data` (JSON)."""
    return f"digress:job:{job_id}:events"
