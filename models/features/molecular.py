"""What a chemist reads off a half-finished molecule: bonds used, hydrogens missing, weight.

    valency_i  Σ_j order(bond ij)
    charge_i   valence(type i) - valency_i: the hydrogens atom i would still take up; negative if it has
               too many bonds (DiGress's name for this feature)
    weight     Σ_i mass(type i) of the nodes; hydrogens count where they are drawn

Reference: Vignac et al. 2023, DiGress, arXiv:2209.14734, appendix B
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.feature import Feature, FeatureValues, NoisyGraph, Widths
from models.molecules import atom_mass, atom_valence, bond_order


class MolecularFeature(Feature):
    """The three features for a vocabulary of atom and bond types; scaled to be about one."""

    widths = Widths(nodes=2, graph=1)
    description = "charge and valency of atoms and weight of the molecule"
    valences: Tensor
    masses: Tensor
    orders: Tensor

    def __init__(self, node_types: Sequence[str], edge_types: Sequence[str], *, max_nodes: int) -> None:
        super().__init__()
        heaviest = max(atom_mass(label) for label in node_types) * max_nodes
        self.register_buffer(
            "valences", torch.tensor([float(atom_valence(label)) for label in node_types]), persistent=False
        )
        self.register_buffer(
            "masses", torch.tensor([atom_mass(label) for label in node_types]) / heaviest, persistent=False
        )
        self.register_buffer("orders", torch.tensor([bond_order(label) for label in edge_types]), persistent=False)

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature | None:
        return cls(card.node_types, card.edge_types, max_nodes=card.max_nodes) if config.molecular else None

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        bonds = noisy.edges[..., : len(self.orders)] * noisy.edge_mask[..., None]
        per_atom, weight = self.charge_valency_weight(noisy.nodes[..., : len(self.masses)], bonds, noisy.node_mask)
        return FeatureValues(nodes=per_atom, graph=weight)

    def charge_valency_weight(
        self, nodes: Float[Tensor, "b n k"], edges: Float[Tensor, "b n n l"], node_mask: Bool[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b n 2"], Float[Tensor, "b 1"]]:
        """(charge, valency) per atom, and weight per molecule as a share of the heaviest possible one.

        Takes one-hot categories without the mask state and is differentiable in them.
        """
        valency = (edges @ self.orders).sum(-1)
        charge = (nodes @ self.valences - valency) * node_mask
        weight = (nodes @ self.masses * node_mask).sum(-1, keepdim=True)
        return torch.stack([charge, valency], dim=-1) / 4, weight
