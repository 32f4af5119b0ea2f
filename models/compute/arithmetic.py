"""Operations that torch has, in a form that is faster for the shapes used here."""

from torch import Tensor


def softmax(logits: Tensor) -> Tensor:
    """Softmax over the last axis, for short rows: on CPUs torch's own takes about 100 ns a row, however short it is.

    Where a gradient is wanted torch's own is used: its backward pass takes a fifth of the time of this form's.
    A row needs one finite logit at least; -inf gives 0.
    """
    if logits.device.type != "cpu" or logits.requires_grad:
        return logits.softmax(-1)
    weights = (logits - logits.amax(-1, keepdim=True)).exp()
    return weights / weights.sum(-1, keepdim=True)
