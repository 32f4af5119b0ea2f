"""How well a model completes what is given of test graphs.

    parts       connected parts of 3 to 7 nodes; of every second one, atoms without further bonds are closed
    scaffolds   the rings with what joins them; graphs without rings have none
    formula     the category of every node: of a molecule its heavy atoms
    near        nothing is given, and the test graph is the one to begin near

Each completion has as many nodes as the test graph that its part is from. So a model that is right completes parts to graphs
that are distributed as the test graphs are, and the distance to these (FCD, or the mean MMD ratio) is the measure. Beside it:

    kept                  share in which all is there that was given
    valid                 share of valid molecules, or of graphs of the family's kind
    valid_and_connected   … in one piece
    distinct              of these, the share that is not the test graph itself
    unique                distinct completions of a part, over its draws
    similarity_at_…       for "near": mean similarity to the test graph, if it was noised to that t/T, and
    unchanged_at_…        share of graphs that came back unchanged
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from models.card.card import ModelCard
from models.card.measurements import GivenKind
from models.checkpoint import LoadedModel
from models.data.catalogue import reference_molecules
from models.data.dataset import GraphData
from models.diffusion.randomness import GIVEN_STREAM, graph_seeds, uniforms
from models.evaluation.graphs import adjacencies, mmd_ratios
from models.evaluation.molecules import REFERENCE_MOLECULES, EvaluationError, frechet_chemnet_distance, smiles_of
from models.generation import Progress, generate
from models.given.choosing import grow, part_of, peel
from models.given.partial import PartialGraph
from models.graphs import GraphBatch
from models.plan import GenerationPlan, Near
from models.rules.validity import VALIDITY, is_connected
from models.similarity import Likeness

_SMALLEST, _LARGEST = 3, 7
# t/T of the curve that calibrates the strength of `near`.
NOISES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class Source:
    """A test graph, and what is given of it."""

    graph: GraphBatch
    whole: PartialGraph
    given: PartialGraph


@dataclass(frozen=True)
class Completion:
    """A drawn graph, as part of a batch of one, and the number of its source."""

    source: int
    graph: GraphBatch


def sources_of(data: GraphData, kind: GivenKind, num_sources: int, *, seed: int) -> list[Source]:
    """Random test graphs with what is given of each: a function of the seed.

    Raises:
        EvaluationError: if no test graph has such a part.
    """
    order = torch.randperm(len(data.test), generator=torch.Generator().manual_seed(seed)).tolist()
    found: list[Source] = []
    for row in order:
        graph = data.test[[row]].trimmed().long()
        given = _part(graph, kind, number=len(found), seed=seed)
        if given is not None and len(graph.nodes[0]) >= 2:
            everything = torch.ones_like(graph.nodes[0], dtype=torch.bool)
            found.append(Source(graph, part_of(graph, everything, is_closed=False), given))
        if len(found) == num_sources:
            break
    if not found:
        raise EvaluationError(f"no test graph of {data.name} has a part of the kind {kind!r}")
    return found


def complete(
    model: LoadedModel,
    plan: GenerationPlan,
    sources: Sequence[Source],
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    noise: float | None = None,
) -> list[Completion]:
    """The plan's number of graphs, spread over the sources; with a noise, each begins near its source instead."""
    draws = max(plan.num_graphs // len(sources), 1)
    by_size: dict[int, list[int]] = {}
    for number, source in enumerate(sources):
        by_size.setdefault(source.graph.max_nodes, []).append(number)
    completions: list[Completion] = []
    total = draws * len(sources)
    for size, numbers in sorted(by_size.items()):
        parts, whole = (tuple(getattr(sources[n], what) for n in numbers) for what in ("given", "whole"))
        one = replace(
            plan,
            num_graphs=draws * len(numbers),
            min_nodes=size,
            max_nodes=size,
            seed=plan.seed + size,
            given=parts if noise is None else (),
            near=None if noise is None else Near(whole, noise),
        )
        for batch in generate(model, one):
            for row, index in enumerate(batch.indices.tolist()):
                completions.append(Completion(numbers[index % len(numbers)], batch.graphs[[row]].trimmed()))
            on_progress(Progress(len(completions) / total, len(completions)))
    return completions


def measure_completions(
    card: ModelCard, sources: Sequence[Source], completions: Sequence[Completion], data: GraphData
) -> dict[str, float]:
    """The metrics by the names above.

    Raises:
        EvaluationError: if fewer than two completions are valid molecules.
    """
    values = {"kept": fmean(_has(sources[c.source].given, c.graph) for c in completions)}
    graphs = [completion.graph for completion in completions]
    if card.domain != "molecule":
        return values | _of_graphs(graphs, data)
    smiles = [smiles_of(card, graph)[0] for graph in graphs]
    own = [smiles_of(card, source.graph)[0] for source in sources]
    valid = [(c.source, text) for c, text in zip(completions, smiles, strict=True) if text]
    if len(valid) < 2:
        raise EvaluationError(f"of {len(smiles)} completions {len(valid)} are valid molecules; at least 2 are needed")
    reference = reference_molecules(data, "test") or [text for text in smiles_of(card, data.test) if text]
    return values | {
        "valid": len(valid) / len(smiles),
        "valid_and_connected": sum("." not in text for _, text in valid) / len(smiles),
        "distinct": fmean(own[source] != text for source, text in valid),
        "unique": len(set(valid)) / len(valid),
        "fcd": frechet_chemnet_distance([text for _, text in valid], reference[:REFERENCE_MOLECULES]),
    }


def _of_graphs(graphs: Sequence[GraphBatch], data: GraphData) -> dict[str, float]:
    drawn = [adjacency for graph in graphs for adjacency in adjacencies(graph)]
    is_valid = VALIDITY[data.validity] if data.validity else None
    ratios = mmd_ratios(drawn, train=list(adjacencies(data.train)), test=list(adjacencies(data.test)))
    return {
        **({"valid": fmean(map(is_valid, drawn))} if is_valid else {}),
        "connected": fmean(map(is_connected, drawn)),
        **({"ratio": ratios["ratio"]} if "ratio" in ratios else {}),
    }


def measure_similarity(
    model: LoadedModel,
    plan: GenerationPlan,
    sources: Sequence[Source],
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, float]:
    """How much is left of graphs that were noised to t/T and denoised again: `similarity_at_…` and `unchanged_at_…`."""
    likenesses = [Likeness(source.whole, model.card) for source in sources]
    values: dict[str, float] = {}
    for number, noise in enumerate(NOISES):
        drawn = complete(model, plan, sources, noise=noise)
        similarities, unchanged = [], []
        for completion in drawn:
            ((types, pairs),) = completion.graph.labelled(model.card.node_types, model.card.edge_types)
            smiles = smiles_of(model.card, completion.graph)[0] if model.card.domain == "molecule" else None
            similarities.append(likenesses[completion.source].of((types, pairs), smiles))
            unchanged.append(likenesses[completion.source].is_same((types, pairs), smiles))
        values |= {f"similarity_at_{noise}": fmean(similarities), f"unchanged_at_{noise}": fmean(unchanged)}
        on_progress(Progress((number + 1) / len(NOISES), (number + 1) * len(drawn)))
    return values


def _part(graph: GraphBatch, kind: GivenKind, *, number: int, seed: int) -> PartialGraph | None:
    """What is given of the one graph in the batch; None if it has no such part."""
    size = graph.max_nodes
    match kind:
        case "formula":
            return PartialGraph(tuple(graph.nodes[0].tolist()), {})
        case "near":
            return PartialGraph((), {})
        case "scaffolds":
            chosen = peel(graph, rounds=torch.tensor([size]))
        case "parts":
            numbers = uniforms(
                graph_seeds(seed, torch.tensor([number])),
                step=torch.zeros(1, dtype=torch.long),
                stream=GIVEN_STREAM,
                positions=torch.arange(1 + 2 * size),
            )
            largest = min(_LARGEST, size - 1)
            wanted = _SMALLEST + (numbers[:, 0] * (largest - _SMALLEST + 1)).long()
            chosen = grow(
                graph,
                numbers[:, 1 : 1 + size],
                numbers[:, 1 + size :],
                num_starts=torch.tensor([1]),
                size=wanted,
            )
    if not _SMALLEST <= int(chosen.sum()) < size:
        return None
    return part_of(graph, chosen[0], is_closed=kind == "parts" and number % 2 == 1)


def _has(part: PartialGraph, graph: GraphBatch) -> bool:
    """Whether the one graph in the batch has the part where it was given."""
    nodes, edges = graph.nodes[0].tolist(), graph.edges[0].tolist()
    closed = all(not edges[i][j] for i in part.closed for j in range(len(part), len(nodes)))
    return (
        closed
        and all(category in {None, nodes[place]} for place, category in enumerate(part.nodes))
        and all(edges[i][j] == category for (i, j), category in part.pairs.items())
    )
