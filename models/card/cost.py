"""What graphs cost to draw: the one definition that the API and the workers share.

A graph of n nodes is computed in a width w(n): n rounded up to a multiple of 16, or the model's largest size if that is less.
A step puts it through a network p times, at most: once to denoise, and more often to guide.

    estimator    none    proposals            gradient
    p            1       1 + num_proposals    3, since forward and backward cost about three times as much as forward

    cost of one step of a graph    c(n) = p · w(n)²
    cost of a step                 Σ c(n) over its graphs
    cost of a job                  num_draws · num_steps · E[c(n)],    num_draws = num_graphs · candidates

The mean E is over the sizes that are drawn: as in training, or all alike if training saw none of those asked for.
The unit is one pair of nodes in one pass through the network; a worker measures how long that takes (`worker.engine.budget`).
"""

from models.card.card import ModelCard
from models.card.config import Estimator

_WIDTH_STEP = 16
_PASSES_OF_A_GRADIENT = 3


def size_weights(card: ModelCard, sizes: range) -> dict[int, float]:
    """The sizes that are drawn from a range, each with its weight; the weights need not sum to 1."""
    seen = {size: card.size_distribution[size] for size in sizes if card.size_distribution.get(size)}
    return seen or dict.fromkeys(sizes, 1.0)


def padded_size(card: ModelCard, num_nodes: int) -> int:
    """w(n). It depends on the graph's own size alone, so that batch mates do not matter, not even in rounding."""
    return min(-(-num_nodes // _WIDTH_STEP) * _WIDTH_STEP, max(card.max_nodes, num_nodes))


def num_passes(card: ModelCard, estimator: Estimator | None) -> int:
    """p: how often a step puts a graph through a network. `estimator` is that of the guidance; None is no guidance."""
    match estimator:
        case "proposals":
            return 1 + card.guidance.num_proposals
        case "gradient":
            return _PASSES_OF_A_GRADIENT
        case None:
            return 1


def graph_cost(card: ModelCard, num_nodes: int, estimator: Estimator | None) -> int:
    """c(n): what a graph of this size adds to the cost of a step."""
    return num_passes(card, estimator) * padded_size(card, num_nodes) ** 2


def largest_graph_cost(card: ModelCard, sizes: range, estimator: Estimator | None) -> int:
    """c(n) of the largest graph that is drawn from a range: no step can cost less than its largest graph."""
    return graph_cost(card, max(size_weights(card, sizes)), estimator)


def mean_graph_cost(card: ModelCard, sizes: range, estimator: Estimator | None) -> float:
    """E[c(n)] over the sizes that are drawn from a range."""
    weights = size_weights(card, sizes)
    total = sum(weight * graph_cost(card, size, estimator) for size, weight in weights.items())
    return total / sum(weights.values())


def job_cost(card: ModelCard, sizes: range, estimator: Estimator | None, *, num_draws: int, num_steps: int) -> float:
    """The cost of all steps of a job, on average; `num_draws` counts every candidate."""
    return num_draws * num_steps * mean_graph_cost(card, sizes, estimator)
