"""What a denoiser is given beside the noisy graph and the time.

    p̂(x | z_t, context)

Drawing with a context is drawing from the conditional distribution. The context is passed unchanged through every step of a sampler,
and a network must read it at every call. There is nothing in it yet: which nodes and pairs are *given*, clean at every t,
and which properties are *wanted*, will be fields of it, one row for each graph of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Context:
    """What is given and what is wanted of b graphs; nothing yet."""

    @staticmethod
    def concatenate(parts: Sequence["Context"]) -> "Context":
        """The context of all graphs, in order; as there is nothing in any, there is nothing in this one."""
        return parts[0]


NO_CONTEXT: Final = Context()
