"""Which jobs the engine takes: whether there is room for another, and what work an order is."""

from models.card.cost import graph_cost
from models.generation import Generation
from worker.engine.capacity import Capacity
from worker.engine.job import EngineJob, Order, OrderQueue, TooLarge
from worker.engine.schedule import Schedule
from worker.engine.work import Work
from worker.plans import plan

# No more jobs of an owner are wanted while the graphs of that owner fill so many batches, each of which has all its steps to
# go. That is about a thousand seconds of work, and other workers may be idle.
_MOST_BATCHES = 256
# With so many seconds of an owner's work at hand, only a few jobs of that owner are taken: many at once all end late, and a
# worker that dies loses what it has made of each. Until then small jobs fill the steps. What others have at hand counts
# for nothing, so no owner's long jobs keep another's small one waiting.
_MUCH_SECONDS = 10.0
_FEW_JOBS = 16


class Admission:
    """Says what one engine takes."""

    def __init__(self, orders: OrderQueue, schedule: Schedule, capacity: Capacity) -> None:
        self._orders, self._schedule, self._capacity = orders, schedule, capacity

    def has_room_for(self, owner: str) -> bool:
        """Whether another job of an owner can be taken; a small one does not wait for large ones, if these are few."""
        orders = [order for order in self._orders.waiting() if order.job.owner == owner]
        works = self._schedule.works_of(owner)
        if len(works) + len(orders) >= _FEW_JOBS and sum(work.seconds_left for work in works) > _MUCH_SECONDS:
            return False
        ordered = sum(self._most_batches(order.job) for order in orders)
        return sum(work.batches_left for work in works) + ordered < _MOST_BATCHES

    def admit(self, order: Order) -> Work:
        """The work of an order.

        Raises:
            TooLarge: if its graphs do not fit into memory.
            Exception: the reason its job was canceled for, or why it cannot begin.
        """
        job = order.job
        if job.end_reason is not None:
            raise job.end_reason
        if job.generation is None:
            budget = self._capacity.prepare(job.request.model)
            job.generation = Generation(job.model, plan(job.request, job.card))
        else:  # what has begun goes on, even if its model has been unloaded since
            budget = self._capacity.current(job.request.model)
        if job.generation.largest_cost > budget.fits:
            raise TooLarge("a graph of this size does not fit into the worker's memory")
        return Work(job.generation, budget, owner=job.owner, account=job.account, chosen=order.chosen)

    def _most_batches(self, job: EngineJob) -> float:
        """How many full steps it takes at most to bring every graph of a job one step further; 0 if that is not known yet."""
        request = job.request
        if request.model not in self._capacity:
            return 0.0
        cost = graph_cost(job.card, job.card.max_nodes, request.estimator)
        return request.num_graphs * request.candidates * cost / self._capacity.current(request.model).largest
