"""The training loss: cross-entropy of the clean graph, given a noisy one.

    L = mean over nodes of -log p̂(x_i | z_t)  +  λ_E · mean over pairs of -log p̂(e_ij | z_t)

with means over all real nodes, and all real unordered pairs, of the batch. It does not change when nodes are
renamed (DiGress, Lemma 3.2).

Reference: Vignac et al. 2023, DiGress, arXiv:2209.14734, equation 2
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from models.diffusion.context import Given
from models.graphs import GraphBatch, GraphLogits


@dataclass(frozen=True)
class CrossEntropy:
    """The two terms of the loss, in nats per node and per pair."""

    nodes: Float[Tensor, ""]
    edges: Float[Tensor, ""]

    def total(self, edge_weight: float) -> Float[Tensor, ""]:
        """L, with λ_E = `edge_weight`; DiGress: the first number of `lambda_train`."""
        return self.nodes + edge_weight * self.edges


def cross_entropy(logits: GraphLogits, clean: GraphBatch, given: Given | None = None) -> CrossEntropy:
    """Both terms for a batch, over what is not given; zero for a term that has no element. DiGress: `TrainLossDiscrete`."""
    nodes, once = clean.node_mask, clean.edge_mask & torch.ones_like(clean.edge_mask).triu(diagonal=1)
    if given is not None:
        nodes, once = nodes & ~given.nodes, once & ~given.pairs
    return CrossEntropy(
        _masked_mean(logits.nodes, clean.nodes, nodes),
        _masked_mean(logits.edges, clean.edges, once),
    )


def _masked_mean(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    losses = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none")
    return (losses * mask.flatten()).sum() / mask.sum().clamp(min=1)
