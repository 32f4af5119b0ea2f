"""How good generated molecules are.

    valid                 RDKit sanitises the molecule exactly as drawn: no repair, no largest fragment
    valid_and_connected   … and it is one piece
    unique                distinct canonical SMILES among the valid ones
    novel                 those of the distinct ones that are not in the training set
    fcd                   Fréchet ChemNet distance between the valid ones and test molecules (lower is better)

FCD falls with the number of samples, so it is only comparable at equal numbers; `FCD_REFERENCE` test molecules
are always used.

References:
    Polykovskiy et al. 2020, MOSES, arXiv:1811.12823 (validity, uniqueness, novelty)
    Preuer et al. 2018, Fréchet ChemNet Distance, arXiv:1803.09518
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from models.card import ModelCard
from models.graphs import GraphBatch
from models.molecules import canonical_smiles, to_molecule

FCD_REFERENCE = 5_000


class EvaluationError(ValueError):
    """A model, or samples, that cannot be measured."""


@dataclass(frozen=True)
class MoleculeMetrics:
    """Shares are of all samples (valid), of the valid ones (unique), and of the distinct ones (novel)."""

    valid: float
    valid_and_connected: float
    unique: float
    novel: float
    fcd: float

    def as_dict(self) -> dict[str, float]:
        """Name -> value."""
        return asdict(self)


def smiles_of(card: ModelCard, graphs: GraphBatch) -> list[str | None]:
    """Canonical SMILES of each graph, None for one that is not a valid molecule."""
    return [
        canonical_smiles(to_molecule(types, pairs))
        for types, pairs in graphs.labelled(card.node_types, card.edge_types)
    ]


def evaluate_molecules(
    samples: Sequence[str | None], *, training: Collection[str], reference: Sequence[str]
) -> MoleculeMetrics:
    """Metrics of canonical SMILES (None: not valid) against training and test molecules, canonical too.

    Raises:
        EvaluationError: if there are too few valid samples to have a spread.
    """
    valid = [smiles for smiles in samples if smiles]
    if len(valid) < 2:
        raise EvaluationError(f"of {len(samples)} samples {len(valid)} are valid molecules; at least 2 are needed")
    distance = frechet_chemnet_distance(valid, reference[:FCD_REFERENCE])
    if not math.isfinite(distance):
        raise EvaluationError(f"FCD has no value for {len(valid)} valid molecules; draw more")
    distinct = set(valid)
    return MoleculeMetrics(
        valid=len(valid) / len(samples),
        valid_and_connected=sum("." not in smiles for smiles in valid) / len(samples),
        unique=len(distinct) / len(valid),
        novel=len(distinct.difference(training)) / len(distinct),
        fcd=distance,
    )


def frechet_chemnet_distance(samples: Sequence[str], reference: Sequence[str]) -> float:
    """FCD between two sets of SMILES."""
    from fcd_torch import FCD  # optional dependency, and slow to import

    return float(FCD(device="cpu", n_jobs=1, batch_size=256, canonize=False)(gen=list(samples), ref=list(reference)))
