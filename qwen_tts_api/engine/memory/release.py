"""Give memory back to the device: when a computation has failed, when a model has ended."""

from __future__ import annotations

import gc
import traceback

import torch


def empty_caches() -> None:
    """Release what PyTorch keeps for tensors to come: memory of the device, pinned memory here."""
    gc.collect()
    torch.cuda.empty_cache()
    # PyTorch 2.11, which GPU machines without a network have, does not know it.
    empty_host_cache = getattr(torch.accelerator.memory, "empty_host_cache", None)
    if empty_host_cache is not None and torch.accelerator.is_available():
        empty_host_cache()


def release_memory(error: BaseException) -> None:
    """Release the memory that an error keeps: of tensors in the frames that it came through.

    PyTorch would keep it, too, for tensors to come; others, and who plans, see it only when it is
    given back to the device.
    """
    pending, errors = [error], set[BaseException]()
    while pending:
        errors.add(each := pending.pop())
        traceback.clear_frames(each.__traceback__)
        for other in (each.__cause__, each.__context__):
            if other is not None and other not in errors:
                pending.append(other)
    gc.collect()
    torch.cuda.empty_cache()
