"""All graphs of a job of the engine, as the tests that let it draw read them."""

from collections.abc import Iterator

from models.generation import GeneratedBatch
from worker.engine.job import EngineJob


def batches_of(job: EngineJob) -> Iterator[GeneratedBatch]:
    """All graphs, as they are finished; raises what `next_batch` raises."""
    left = job.request.num_graphs
    while left:
        if batch := job.next_batch(timeout=1.0):
            left -= len(batch.indices)
            yield batch
