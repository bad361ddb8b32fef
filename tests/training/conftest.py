"""One thread: the tiny model's products are too small to share, and threads that wait for each other cost more."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
