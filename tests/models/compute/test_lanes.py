import threading

import pytest
import torch

from models.compute.lanes import Lanes

CPU = torch.device("cpu")


def test_parts_are_computed_beside_each_other_and_come_back_in_order() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(part: int) -> tuple[int, int]:
        both.wait()
        return part, torch.get_num_threads()

    with Lanes(CPU, 2) as lanes:
        assert lanes.map(meet, [5, 3]) == [(5, 1), (3, 1)]


def test_an_error_is_raised_when_all_have_ended() -> None:
    done = []

    def work(part: int) -> None:
        if part == 0:
            raise ValueError("out of order")
        threading.Event().wait(0.05)
        done.append(part)

    with Lanes(CPU, 2) as lanes:
        with pytest.raises(ValueError, match="out of order"):
            lanes.map(work, [0, 1])
        assert done == [1]


def test_after_the_end_whoever_asks_computes() -> None:
    with Lanes(CPU, 2) as lanes:
        pass

    assert lanes.map(str, [1, 2]) == ["1", "2"]


def test_there_are_as_many_lanes_as_torch_has_threads_and_one_on_a_gpu() -> None:
    assert Lanes(CPU).count == torch.get_num_threads()
    assert Lanes(torch.device("cuda")).count == 1
