"""The jobs that are being drawn."""

from collections.abc import Iterator, Sequence

from models.generation import Cohort
from worker.engine.job import EngineJob
from worker.engine.schedule import Schedule
from worker.engine.work import Work


class ActiveJobs:
    """Jobs by their work, which is in the schedule for as long as the job is here."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._jobs: dict[Work, EngineJob] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[EngineJob]:
        return iter(list(self._jobs.values()))

    def __getitem__(self, work: Work) -> EngineJob:
        return self._jobs[work]

    def add(self, job: EngineJob, work: Work) -> None:
        """Draw the graphs of an order from the next step on."""
        self._jobs[work] = job
        self._schedule.add(work)

    def settle(self, work: Work, cohorts: Sequence[Cohort]) -> None:
        """Take a job's cohorts back after a step, deliver those that are finished, and let it go if they were the last."""
        work.put_back(cohorts)
        for cohort in cohorts:
            if cohort.is_finished:
                self._jobs[work].deliver(cohort)
        if work.is_over:
            self.end(work)

    def end(self, work: Work, error: BaseException | None = None) -> None:
        """Draw no more of it; the job is told of an error."""
        self._schedule.remove(work)
        job = self._jobs.pop(work)
        if error is not None:
            job.deliver(error)

    def end_canceled(self) -> None:
        """End the jobs that have a reason to end."""
        for work, job in list(self._jobs.items()):
            if job.end_reason is not None:
                self.end(work, job.end_reason)
