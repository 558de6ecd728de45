import pytest
import torch

from tasks.environment.memory import fitting
from unlearning.errors import OutOfMemoryError


def beyond(limit, tried):
    """Work that needs more memory than there is, the way torch itself says it."""

    def work(size, device):
        tried.append((size, device))
        if size > limit:
            torch.empty(2**60, dtype=torch.uint8)  # more than any machine has
        return size, device

    return work


def test_chunks_shrink_until_they_fit():
    tried = []
    assert fitting(beyond(100, tried), chunk_size=1024, device="cpu") == (16, "cpu")
    assert tried == [(1024, "cpu"), (128, "cpu"), (16, "cpu")]


def test_another_device_is_given_up_for_the_cpu_in_whole_chunks():
    tried = []

    def work(size, device):
        tried.append((size, device))
        if device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return device

    assert fitting(work, chunk_size=64, device="meta") == "cpu"
    assert tried == [(64, "meta"), (16, "meta"), (64, "cpu")]


def test_what_never_fits_is_an_error_of_its_own():
    with pytest.raises(OutOfMemoryError, match="16 rows"):
        fitting(beyond(0, []), chunk_size=64, device="cpu")


def test_chunks_that_were_small_from_the_start_are_tried_once():
    tried = []
    with pytest.raises(OutOfMemoryError):
        fitting(beyond(0, tried), chunk_size=4, device="cpu")
    assert tried == [(4, "cpu")]


def test_any_other_error_goes_on_its_way():
    def work(size, device):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        fitting(work, chunk_size=1024, device="cpu")
