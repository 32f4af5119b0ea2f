"""Every name that the service has in Redis, and the names of RQ that both sides need.

    digress:job:{id}                    hash: the job's record, the truth about it
    digress:job:{id}:events             stream: what happened to it, fields `event` and `data` (JSON); and a channel that says so
    digress:job:{id}:graphs             list: its graphs, each as JSON, once it has ended
    digress:job:{id}:frames             list: a `Trajectory` as JSON for each graph, if frames were kept
    digress:jobs, digress:jobs:{owner}  sorted sets: ids of all jobs, and of one owner's; they sort by time
    digress:again:{owner}:{sha256}      hash: the job that an idempotency key stands for, and a hash of its request
    digress:open:{owner}                hash: id -> seconds of work, of one owner's jobs that wait or run; `all` -> their sum

    digress:pending                     sorted set: jobs that wait behind the next one, by tag (`scripts/submit.lua`)
    digress:pending:{owner}             sorted set: those of one owner, likewise
    digress:waiting                     sorted set: owners of pending jobs, by the tag of their first (`scripts/release.lua`)
    digress:flows                       hash: owner and priority -> the tag of their last job
    digress:clock                       string: the tag of the job that was taken last
    digress:backlog                     string: seconds of work that the pending jobs are
    digress:webhooks                    sorted set: jobs that have ended and whose webhook is due (`app.jobs.webhooks`)
    digress:webhooks:owners             sorted set: owners, by when their next webhook is due
    digress:webhooks:of:{owner}         sorted set: an owner's jobs, by when their webhook is due

    digress:workers                     sorted set: names of workers, by when they were last heard of
    digress:worker:{name}               string: a worker's `WorkerReport` as JSON; it expires if the worker is silent
    digress:models:unloaded             set: models that are in the folder and not served
    digress:models:changes              string: how often that has changed

    digress:keys                        hash: name -> `ApiKey` as JSON (`app.access.api_keys`)
    digress:keys:ids                    hash: id, the public part of an API key -> name
    digress:rate:…                      strings: submissions with a key in this minute and the last (`app.access.rate`)
    digress:quota:{name}:{day}          string: graphs that a key asked for on this day

Services that run are upgraded one process at a time, so a name never changes.
"""

import hashlib
from datetime import datetime

_PREFIX = "digress:"

# RQ's queue, the function that its messages name, and the keys that RQ makes of the queue's name.
QUEUE = "digress"
JOB_FUNCTION = "worker.jobs.generate"
RQ_QUEUE_KEY = f"rq:queue:{QUEUE}"
RQ_STARTED_KEY = f"rq:wip:{QUEUE}"

# A record's key is this and the job's id. Scripts that find jobs by their ids are given it.
RECORD_PREFIX = f"{_PREFIX}job:"
JOBS_KEY = f"{_PREFIX}jobs"

PENDING_KEY = f"{_PREFIX}pending"
# The pending jobs of an owner are this and the owner's name. Scripts that find the owner in a record are given it.
OWNER_PENDING_PREFIX = f"{PENDING_KEY}:"
WAITING_KEY = f"{_PREFIX}waiting"
FLOWS_KEY = f"{_PREFIX}flows"
CLOCK_KEY = f"{_PREFIX}clock"
BACKLOG_KEY = f"{_PREFIX}backlog"
WEBHOOKS_KEY = f"{_PREFIX}webhooks"
WEBHOOK_OWNERS_KEY = f"{_PREFIX}webhooks:owners"
# The key of an owner's webhooks is this and the owner. A script that finds owners is given it.
WEBHOOK_OWNER_PREFIX = f"{_PREFIX}webhooks:of:"

WORKERS_KEY = f"{_PREFIX}workers"
UNLOADED_KEY = f"{_PREFIX}models:unloaded"
MODEL_CHANGES_KEY = f"{_PREFIX}models:changes"

API_KEYS_KEY = f"{_PREFIX}keys"
API_KEY_IDS_KEY = f"{_PREFIX}keys:ids"
# The library that counts submissions makes names of it.
RATE_PREFIX = f"{_PREFIX}rate"


def record_key(job_id: str) -> str:
    """A job's record."""
    return f"{RECORD_PREFIX}{job_id}"


def events_key(job_id: str) -> str:
    """The stream of a job's events."""
    return f"{RECORD_PREFIX}{job_id}:events"


def graphs_key(job_id: str) -> str:
    """The graphs of a job that has ended."""
    return f"{RECORD_PREFIX}{job_id}:graphs"


def frames_key(job_id: str) -> str:
    """The trajectories of a job's graphs."""
    return f"{RECORD_PREFIX}{job_id}:frames"


def owner_jobs_key(owner: str) -> str:
    """The ids of one owner's jobs."""
    return f"{JOBS_KEY}:{owner}"


def open_jobs_key(owner: str) -> str:
    """The jobs of one owner that wait or run."""
    return f"{_PREFIX}open:{owner}"


def owner_pending_key(owner: str) -> str:
    """The pending jobs of one owner."""
    return f"{OWNER_PENDING_PREFIX}{owner}"


def idempotency_key(owner: str, key: str) -> str:
    """The job that an owner's idempotency key stands for."""
    return f"{_PREFIX}again:{owner}:{hashlib.sha256(key.encode()).hexdigest()}"


def worker_key(worker: str) -> str:
    """A worker's report."""
    return f"{_PREFIX}worker:{worker}"


def quota_key(name: str, time: datetime) -> str:
    """The graphs that an API key asked for on the day of `time`."""
    return f"{_PREFIX}quota:{name}:{time:%Y%m%d}"
