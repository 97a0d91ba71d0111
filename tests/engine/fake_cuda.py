"""A GPU without numbers: PyTorch's fake tensors on `cuda:0`, held to what a real one demands.

Needs a build of PyTorch with CUDA, but neither a GPU nor its driver. Fake tensors by themselves
raise where tensors of two devices meet, where the host asks for a value (`.item()`, `if tensor:`,
`.tolist()`), and where a shape depends on one. `CudaRules` adds what they let pass:

- matrix products and convolutions of different number formats;
- a copy between host and device for which the host would wait, or any while a graph is captured.

What cannot be had without a driver is replaced, and computes nothing, as all else here:

- streams and events (whether what runs on two of them is ordered rightly is not seen);
- graphs: the function to be captured runs as it would, and a replay does nothing;
- pinned memory: a mark, which copies ask for;
- what the host reads at last (`HostCopy.wait`): zeros;
- upstream's mel spectrogram, computed on the host of real samples;
- upstream's encoder of the codec (Mimi), which asks for the values of its own buffers;
- `nn.Module.to`, where only buffers are still to be moved: fake parameters cannot be.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.launches import is_composite
from qwen_tts_api.engine.runner import graphs
from qwen_tts_api.engine.runner.host_copy import HostCopy
from qwen_tts_api.model.utterance import SAMPLES_PER_FRAME
from qwen_tts_api.model.voice.encoders import VoiceEncoders

aten: Any = torch.ops.aten

ONE_FORMAT = {
    aten.addmm,
    aten.baddbmm,
    aten.bmm,
    aten.convolution,
    aten.index_copy_,
    aten.mm,
    aten._scaled_dot_product_cudnn_attention,
    aten._scaled_dot_product_efficient_attention,
    aten._scaled_dot_product_flash_attention,
    aten._scaled_dot_product_fused_attention_overrideable,
}
"""Operators whose kernels refuse floating-point tensors of more than one format."""


class HostWaits(AssertionError):
    """The host would wait for the device."""


class CudaRules(TorchDispatchMode):
    """What a real GPU demands and fake tensors do not.

    Attributes:
        may_wait: Copies may make the host wait.
        captures: A graph is being captured.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.may_wait = False
        self.captures = False
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)
        self._pinned: dict[int, Any] = {}  # storages by their address, kept so that it stays theirs
        self._made: list[weakref.ref[Tensor]] = []

    @contextmanager
    def tensors(self, *, may_wait: bool = False) -> Iterator[None]:
        """Make every tensor in the block a fake one, under these rules."""
        with self._fake, self, self.waiting(may_wait):
            yield

    @contextmanager
    def waiting(self, may_wait: bool = True) -> Iterator[None]:
        """Let copies make the host wait."""
        before, self.may_wait = self.may_wait, may_wait
        try:
            yield
        finally:
            self.may_wait = before

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Capture a graph: what it computes is gone afterwards, but its one result.

        Raises:
            RuntimeError: More is kept; it lies where the next graph computes.
        """
        assert not self.captures, "graphs are captured one at a time"
        self.captures, self._made = True, []
        yield
        self.captures = False
        alive = [made() for made in self._made]
        kept = {each.untyped_storage()._cdata for each in alive if each is not None}
        if len(kept) > 1:
            raise RuntimeError(f"{len(kept)} tensors are kept from a captured graph")

    def pin(self, tensor: Tensor) -> Tensor:
        """Mark a tensor, and all views of its memory, as pinned."""
        storage = tensor.untyped_storage()
        self._pinned[storage._cdata] = storage
        return tensor

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        if is_composite(func):  # in inference mode these come here whole
            with self:
                return func.decompose(*args, **kwargs)
        operator = func.overloadpacket
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if operator in ONE_FORMAT:
            formats = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
            if len(formats) > 1:
                raise RuntimeError(f"{func} of {formats}: a kernel takes one number format")
        result = func(*args, **kwargs)
        if self.captures:
            self._note_made(tensors, result)
        if operator is aten.copy_:
            self._check_copy(args[0], args[1], (*args[2:], *kwargs.values()) == (True,))
        elif operator is aten._to_copy:
            self._check_copy(result, args[0], kwargs.get("non_blocking", False))
        elif operator is aten.empty and kwargs.get("pin_memory"):
            self.pin(result)
        return result

    def _note_made(self, read: list[Tensor], result: object) -> None:
        """Note what an operator has allocated."""
        storages = {each.untyped_storage()._cdata for each in read}
        for each in tree_leaves(result):
            if isinstance(each, Tensor) and each.untyped_storage()._cdata not in storages:
                self._made.append(weakref.ref(each))

    def _check_copy(self, to: Tensor, of: Tensor, non_blocking: bool) -> None:
        if to.device == of.device:
            return
        if self.captures:
            raise HostWaits("a copy between host and device in a captured graph")
        host = of if of.device.type == "cpu" else to
        pinned = host.untyped_storage()._cdata in self._pinned
        if not self.may_wait and not (pinned and non_blocking):
            raise HostWaits(f"{of.device} to {to.device}, {pinned=}, {non_blocking=}")


class Stream:
    """A stream or an event of one: takes any order."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def wait_stream(self, other: Stream) -> None:
        """Do nothing, as the others."""

    record = wait_event = wait_stream

    def synchronize(self) -> None:
        """Do nothing."""


class HostArray:
    """What has come to the host: zeros."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self._values = values

    def tolist(self) -> Any:
        return self._values.tolist()

    def numpy(self) -> npt.NDArray[Any]:
        return self._values


@contextmanager
def fake_cuda() -> Iterator[CudaRules]:
    """Replace what needs a driver; tensors are fake within the `tensors` of what is yielded."""
    rules = CudaRules()
    with pytest.MonkeyPatch.context() as patched:
        _replace_driver(patched, rules)
        _replace_host(patched)
        yield rules


def _replace_driver(patched: pytest.MonkeyPatch, rules: CudaRules) -> None:
    class Graph:
        """Replays nothing."""

        def replay(self) -> None:
            """Do nothing: a replay would change numbers only."""

    @contextmanager
    def capture(graph: Graph, **_: object) -> Iterator[None]:
        with rules.capturing():
            yield

    @contextmanager
    def on_stream(stream: Stream) -> Iterator[None]:
        yield

    patched.setattr(Tensor, "pin_memory", lambda tensor: rules.pin(tensor))
    patched.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    patched.setattr(torch.cuda, "Stream", Stream)
    patched.setattr(torch.cuda, "Event", Stream)
    patched.setattr(graphs, "_capture_stream", Stream)
    patched.setattr(torch.cuda, "stream", on_stream)
    patched.setattr(torch.cuda, "current_stream", Stream)
    patched.setattr(torch.cuda, "set_stream", lambda stream: None)
    patched.setattr(torch.cuda, "CUDAGraph", Graph)
    patched.setattr(torch.cuda, "graph", capture)
    patched.setattr(Tensor, "record_stream", lambda tensor, stream: None)


def _replace_host(patched: pytest.MonkeyPatch) -> None:
    from qwen_tts_api.checkpoints.qwen_tts_import import import_qwen_tts

    import_qwen_tts()
    from qwen_tts.core.models import modeling_qwen3_tts

    def wait(copy: HostCopy) -> HostArray:
        host = copy._host
        assert host.device.type == "cpu"
        name = str(host.dtype).removeprefix("torch.")
        return HostArray(np.zeros(tuple(host.shape), name))

    def mel_spectrogram(audio: Tensor, *, num_mels: int, hop_size: int, **_: object) -> Tensor:
        assert audio.device.type == "cpu"
        return torch.zeros(len(audio), num_mels, audio.shape[-1] // hop_size)

    def to(module: nn.Module, device: torch.device) -> nn.Module:
        assert {parameter.device for parameter in module.parameters()} == {device}
        for part in module.modules():
            for name, buffer in part._buffers.items():
                part._buffers[name] = None if buffer is None else buffer.to(device)
        return module

    def encode(encoders: VoiceEncoders, samples: npt.NDArray[np.float32]) -> Tensor:
        num_frames = math.ceil(len(samples) / SAMPLES_PER_FRAME)
        shape = (num_frames, encoders.num_code_groups)
        return torch.zeros(shape, dtype=torch.int64, device=encoders._like.device)

    patched.setattr(HostCopy, "wait", wait)
    patched.setattr(VoiceEncoders, "encode", encode)
    patched.setattr(modeling_qwen3_tts, "mel_spectrogram", mel_spectrogram)
    patched.setattr(nn.Module, "to", to)
