from concurrent.futures import ThreadPoolExecutor

import torch

from models.compute.threads import prepare_thread


def test_a_prepared_thread_takes_denormal_numbers_for_zero() -> None:
    smallest = torch.tensor([torch.finfo(torch.float32).tiny])

    def halved() -> float:
        prepare_thread(num_cores=1)
        return float(smallest / 2)

    with ThreadPoolExecutor(1) as pool:
        in_it = pool.submit(halved).result()

    assert in_it == 0
    assert float(smallest / 2) > 0, "this thread has not been prepared"
