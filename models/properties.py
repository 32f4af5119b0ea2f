"""What is known of a graph's properties: a logistic distribution over each, with location g and scale s.

    p(y) = sech²((y - g)/2s) / 4s

Its tails are those of a Laplace distribution, so that a network trained by its likelihood minimises about the mean
absolute error, and unlike Laplace's it is smooth, so that guidance can follow its gradient.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class PropertyDistribution:
    """Logistic distributions over p properties of b graphs, each in the property's own unit."""

    location: Float[Tensor, "b p"]
    scale: Float[Tensor, "b p"]

    def __getitem__(self, columns: Sequence[int]) -> "PropertyDistribution":
        """The chosen properties."""
        return PropertyDistribution(self.location[:, columns], self.scale[:, columns])

    def log_density(self, values: Float[Tensor, "*shape p"]) -> Float[Tensor, "*broadcast p"]:
        """The logarithm of p(values); any shape that broadcasts to that of the distribution."""
        distance = (values - self.location) / self.scale
        return -distance - 2 * F.softplus(-distance) - self.scale.log()

    def expected_error(self, values: Float[Tensor, "b p"]) -> Float[Tensor, "b p"]:
        """E|Y - values|: the expected distance of the property from `values`.

        With d = |values - g|: 2 s log(1 + exp(d/s)) - d, which is 2 s log 2 at d = 0 and tends to d.
        """
        distance = (values - self.location).abs()
        return distance + 2 * self.scale * F.softplus(-distance / self.scale)

    @property
    def mean_absolute_deviation(self) -> Float[Tensor, "b p"]:
        """E|Y - g|, the error that the regressor expects of itself."""
        return 2 * math.log(2) * self.scale
