from concurrent.futures import ThreadPoolExecutor

import torch

from models.compute.threads import prepare_thread


def test_a_prepared_thread_takes_denormal_numbers_for_zero() -> None:
    smallest = torch.tensor([torch.finfo(torch.float32).tiny])

    def halves() -> tuple[float, float]:
        torch.set_flush_denormal(False)  # the thread that starts this one may have been prepared
        before = float(smallest / 2)
        prepare_thread(num_cores=1)
        return before, float(smallest / 2)

    with ThreadPoolExecutor(1) as pool:
        before, after = pool.submit(halves).result()

    assert before > 0
    assert after == 0
