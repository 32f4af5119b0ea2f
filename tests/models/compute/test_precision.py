import pytest
import torch

from models.compute import precision
from models.compute.precision import autocast, draws_in_bfloat16, has_native_bfloat16, round_weights

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "is_native"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False, "avx2": True}, False)],
)
def test_a_cpu_has_bfloat16_if_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], is_native: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    assert has_native_bfloat16(CPU) == draws_in_bfloat16(CPU) == is_native


def test_weights_rounded_once_give_the_same_bits_as_those_rounded_in_every_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda device: True)
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2))
    inputs = torch.randn(5, 8)
    with torch.no_grad(), autocast(CPU):
        before = network(inputs)

    round_weights(network, CPU)

    with torch.no_grad(), autocast(CPU):
        assert torch.equal(network(inputs), before)
    assert {parameter.dtype for parameter in network[0].parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in network[1].parameters()} == {torch.float32}
