"""The summary of a job: counts over its graphs, and how near they came to their targets."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType

from app.schemas import AnyCompletedRequest, Graph, JobSummary
from models.card.card import ModelCard


def summarise(
    graphs: Sequence[Graph],
    request: AnyCompletedRequest,
    card: ModelCard,
    *,
    num_drawn: int,
    seconds: float,
    refused: Mapping[str, int] = MappingProxyType({}),
    num_missing: int = 0,
) -> JobSummary:
    """Counts over a job's graphs, and over those that were refused on the way: `num_drawn` in all, `refused` by reason."""
    summary = JobSummary(
        num_graphs=len(graphs),
        short=num_missing,
        note=explain_missing(request, num_drawn=num_drawn, refused=refused, num_missing=num_missing),
        drawn=num_drawn,
        refused=dict(refused),
        seconds=round(seconds, 3),
    )
    if request.targets:
        summary = summary.model_copy(
            update={
                "candidates": num_drawn * request.candidates,
                "predicted_error": _predicted_error(graphs, request.targets),
            }
        )
    if not card.knows_validity:
        return summary
    if card.domain != "molecule":
        return summary.model_copy(update={"valid": sum(graph.graph["valid"] for graph in graphs)})
    valid = [graph.graph["smiles"] for graph in graphs if graph.graph["valid"]]
    counts = {
        "valid": len(valid),
        "valid_and_connected": sum("." not in smiles for smiles in valid),
        "unique": len(set(valid)),
    }
    return summary.model_copy(update=counts)


def explain_missing(
    request: AnyCompletedRequest, *, num_drawn: int, refused: Mapping[str, int], num_missing: int
) -> str | None:
    """Why graphs are missing, and what to do about it, in words; None if all are there."""
    if num_missing == 0:
        return None
    by_reason = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    counts = " and ".join(f"{count:,} failed {reason}" for reason, count in by_reason)
    graphs = "1 graph" if num_missing == 1 else f"{num_missing:,} graphs"
    return (
        f"{graphs} short of {request.num_graphs:,}: of {num_drawn:,} draws, {counts}; "
        "loosen the filter or ask for fewer"
    )


def _predicted_error(graphs: Sequence[Graph], targets: Mapping[str, float]) -> dict[str, float] | None:
    """Property -> mean distance of the predicted value from its target, over the valid graphs; None without any."""
    valid = [graph.graph["properties"] for graph in graphs if graph.graph.get("valid", True)]
    if not valid:
        return None
    return {
        name: round(fmean(abs(properties[name] - value) for properties in valid), 4) for name, value in targets.items()
    }
