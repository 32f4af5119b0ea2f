"""What the eigenvalues and eigenvectors of a graph say of its shape.

    L = I - D^{-1/2} A D^{-1/2},    L v_k = λ_k v_k,    0 = λ_0 <= λ_1 <= …,    L_ii = 0 at isolated nodes

    components       how many there are, which is how often 0 is an eigenvalue, over the number of nodes
    eigenvalues      the lowest that are not 0; 2, the most there can be, where there are no more
    not_largest      1 at a node outside the largest component
    projections      n · v_k(i) v_k(j) for each of those eigenvalues: for pairs, and for nodes with i = j

Components are found by reachability: in a long graph the lowest eigenvalues are too near 0 to be distinguished from it.

The sign of an eigenvector is arbitrary, and so is the basis of a repeated eigenvalue. So a projection is the
mean over all eigenvectors of the same eigenvalue, which depends on neither. DiGress gives the
network the eigenvectors themselves, and those of the Laplacian D - A.

These features are computed without gradients, which do not exist where eigenvalues coincide.

Reference: Vignac et al. 2023, DiGress, arXiv:2209.14734, appendix B (spectral features)
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.card.card import ModelCard
from models.card.config import FeatureConfig
from models.features.feature import Feature, FeatureValues, NoisyGraph, Widths

_SAME = 1e-4
# The eigenvalues of padding come last.
_PADDING = 3.0


class SpectralFeature(Feature):
    """Projections for pairs; their diagonals and `not_largest` for nodes; components and eigenvalues for the graph."""

    def __init__(self, num_eigenvalues: int) -> None:
        super().__init__()
        self.num_eigenvalues = num_eigenvalues
        self.widths = Widths(nodes=1 + num_eigenvalues, pairs=num_eigenvalues, graph=1 + num_eigenvalues)
        self.description = f"{num_eigenvalues} lowest eigenvalues of the Laplacian with their eigenvectors"

    @classmethod
    def of(cls, card: ModelCard, config: FeatureConfig) -> Feature | None:
        return cls(config.eigenvalues) if config.eigenvalues else None

    def forward(self, noisy: NoisyGraph) -> FeatureValues:
        found = spectrum(noisy.adjacency, noisy.node_mask, self.num_eigenvalues)
        return FeatureValues(
            nodes=torch.cat([found.not_largest, found.projections.diagonal(dim1=1, dim2=2).mT], -1),
            pairs=found.projections,
            graph=torch.cat([found.components, found.eigenvalues], -1),
        )


@dataclass(frozen=True)
class Spectrum:
    """The features above, for K eigenvalues."""

    components: Float[Tensor, "b 1"]
    eigenvalues: Float[Tensor, "b K"]
    not_largest: Float[Tensor, "b n 1"]
    projections: Float[Tensor, "b n n K"]


@torch.no_grad()
def spectrum(adjacency: Float[Tensor, "b n n"], node_mask: Bool[Tensor, "b n"], num_eigenvalues: int) -> Spectrum:
    """The features of graphs whose padding has no edges; their own size and order decide, not their batch mates."""
    adjacency = adjacency.float()
    degree = adjacency.sum(-1)
    scale = degree.clamp(min=1).rsqrt()
    laplacian = torch.diag_embed((degree > 0).float()) - scale[:, :, None] * adjacency * scale[:, None, :]
    laplacian = laplacian + torch.diag_embed((~node_mask).float() * _PADDING)
    values, vectors = torch.linalg.eigh(laplacian)
    num_nodes = node_mask.sum(1, keepdim=True)
    size = num_nodes.clamp(min=1)

    component_size = _reachable(adjacency).sum(-1) * node_mask
    not_largest = (component_size < component_size.amax(1, keepdim=True)) & node_mask
    num_components = torch.where(node_mask, 1 / component_size.clamp(min=1), 0.0).sum(1, keepdim=True).round().long()

    order = torch.arange(values.shape[1], device=values.device)
    is_above_zero = (order >= num_components) & (order < num_nodes)
    places = num_components + torch.arange(num_eigenvalues, device=values.device)
    exists = places < num_nodes
    chosen = values.gather(1, places.clamp(max=values.shape[1] - 1))
    alike = ((values[:, None] - chosen[..., None]).abs() < _SAME) & is_above_zero[:, None]
    weights = alike.float() / alike.sum(-1, keepdim=True).clamp(min=1) * exists[..., None] * size[..., None]
    projections = torch.einsum("bim,bkm,bjm->bijk", vectors, weights, vectors)
    return Spectrum(
        components=num_components / size,
        eigenvalues=torch.where(exists, chosen, 2.0),
        not_largest=not_largest.float()[..., None],
        projections=projections * (node_mask[:, :, None] & node_mask[:, None, :])[..., None],
    )


def _reachable(adjacency: Float[Tensor, "b n n"]) -> Bool[Tensor, "b n n"]:
    """Which nodes a walk of any length leads to: steps of 1, then of 2, of 4 and so on."""
    reachable = adjacency + torch.eye(adjacency.shape[-1], device=adjacency.device)
    for _ in range((adjacency.shape[-1] - 1).bit_length()):
        reachable = ((reachable @ reachable) > 0).float()
    return reachable > 0
