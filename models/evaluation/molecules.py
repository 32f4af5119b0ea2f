"""The quality of generated molecules.

    valid                 RDKit sanitises the molecule exactly as drawn: no repair, no largest fragment
    valid_and_connected   … and it is one piece
    unique                distinct canonical SMILES among the valid ones
    novel                 those of the distinct ones that are not in the training set
    fcd                   Fréchet ChemNet distance between the valid ones and test molecules (lower is better)
    atom_stable           atoms whose bonds, orders summed, are as many as their type has; where hydrogens are drawn
    molecule_stable       molecules whose atoms are all stable; likewise
    distance_NAME         Wasserstein-1 distance between the valid ones and test molecules in logp, qed or mw, in the
                          property's unit: how far values must be moved, on average, to turn one set into the other

FCD falls with the number of samples, so it is only comparable at equal numbers; of the test molecules up to
`REFERENCE_MOLECULES` are used.

References:
    Polykovskiy et al. 2020, MOSES, arXiv:1811.12823 (validity, uniqueness, novelty, distances of properties)
    Preuer et al. 2018, Fréchet ChemNet Distance, arXiv:1803.09518
    Hoogeboom et al. 2022, EDM, arXiv:2203.17003, section 5.1 (stability)
"""

import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean

from safetensors.numpy import load_file, save_file
from scipy.stats import wasserstein_distance

from models.card.card import ModelCard
from models.card.config import Descriptor
from models.data.cache import cached
from models.descriptors import describe
from models.graphs import GraphBatch
from models.molecules import canonical_smiles, stable_atoms, to_molecule

REFERENCE_MOLECULES = 5_000
_DISTANCES: tuple[Descriptor, ...] = ("logp", "qed", "mw")


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
    distance_logp: float
    distance_qed: float
    distance_mw: float

    def as_dict(self) -> dict[str, float]:
        """Name -> value."""
        return asdict(self)


def smiles_of(card: ModelCard, graphs: GraphBatch) -> list[str | None]:
    """Canonical SMILES of each graph, None for one that is not a valid molecule."""
    return [
        canonical_smiles(to_molecule(types, pairs, hydrogens_are_drawn=card.hydrogens_are_drawn))
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
    if len(reference) < 2:
        raise EvaluationError(f"there are {len(reference)} molecules to test against; at least 2 are needed")
    reference = reference[:REFERENCE_MOLECULES]
    distance = frechet_chemnet_distance(valid, reference)
    if not math.isfinite(distance):
        raise EvaluationError(f"FCD has no value for {len(valid)} valid molecules; draw more")
    distinct = set(valid)
    return MoleculeMetrics(
        valid=len(valid) / len(samples),
        valid_and_connected=sum("." not in smiles for smiles in valid) / len(samples),
        unique=len(distinct) / len(valid),
        novel=len(distinct.difference(training)) / len(distinct),
        fcd=distance,
        **_property_distances(valid, reference),
    )


def stability(card: ModelCard, graphs: Sequence[GraphBatch]) -> dict[str, float]:
    """`atom_stable` and `molecule_stable`; empty for a vocabulary without hydrogens, whose atoms take what they lack."""
    if not card.hydrogens_are_drawn:
        return {}
    stable = [
        stable_atoms(types, bonds)
        for batch in graphs
        for types, bonds in batch.labelled(card.node_types, card.edge_types)
    ]
    return {
        "atom_stable": fmean(is_stable for atoms in stable for is_stable in atoms),
        "molecule_stable": fmean(map(all, stable)),
    }


def _property_distances(samples: Sequence[str], reference: Sequence[str]) -> dict[str, float]:
    found, expected = (
        {name: [values[name] for values in described] for name in _DISTANCES}
        for described in ([describe(smiles, _DISTANCES) for smiles in side] for side in (samples, reference))
    )
    return {f"distance_{name}": float(wasserstein_distance(found[name], expected[name])) for name in _DISTANCES}


def frechet_chemnet_distance(samples: Sequence[str], reference: Sequence[str]) -> float:
    """FCD between two sets of SMILES; what it needs to know of the reference is kept in the cache folder."""
    from fcd_torch import FCD  # optional dependency, and slow to import

    network = FCD(device="cpu", n_jobs=1, batch_size=256, canonize=False)

    def build(path: Path) -> None:
        save_file(network.precalc(list(reference)), path)

    key = hashlib.sha256("\n".join([version("fcd_torch"), *reference]).encode()).hexdigest()[:12]
    known = load_file(cached(f"chemnet-{key}.safetensors", build))
    return float(network(gen=list(samples), pref=known))
