"""Choose between fused kernels and PyTorch's operators: QWEN_KERNELS.

Fused kernels are used where they compile on this device and agree there with PyTorch's operators;
each part falls back by itself.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwen_tts_api.engine.memory.release import release_memory
from qwen_tts_api.engine.runner.kernels.comparison.codec import compare_codec
from qwen_tts_api.engine.runner.kernels.comparison.frame import compare_frame
from qwen_tts_api.engine.runner.kernels.comparison.prefill import compare_prefill
from qwen_tts_api.engine.runner.kernels.compile_ahead import collected, compile_all, compiles
from qwen_tts_api.engine.runner.kernels.compiler import CACHE_VARIABLE, triton_cache
from qwen_tts_api.engine.runner.kernels.paths import PLAIN, Kernels
from qwen_tts_api.engine.self_test import is_fatal
from qwen_tts_api.errors import LoadError
from qwen_tts_api.files import check_writable
from qwen_tts_api.model.loaded import LoadedModel
from qwen_tts_api.model.weights.placement import Capability, age_obstacle, compute_capability

logger = logging.getLogger(__name__)

WITHOUT = "Set QWEN_KERNELS=plain to do without them."


def kernels_obstacle(
    setting: str, device: str, dtype: str, capability: Capability | None
) -> str | None:
    """Return why fused kernels cannot be used, or None where they are tried.

    Args:
        setting: QWEN_KERNELS.
        device: `cpu` or `cuda:N`.
        dtype: QWEN_DTYPE. In 32 bits tensor cores do not multiply, and tiles that are made for them
            have neither registers nor shared memory enough.
        capability: The device's.
    """
    if setting == "plain":
        return "QWEN_KERNELS is plain"
    if device == "cpu":
        return "they need a CUDA device and QWEN_DEVICE is cpu"
    if dtype == "float32":
        return "they compute in 16 bits and QWEN_DTYPE is float32"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    return age_obstacle(capability)


def prepare_triton(cache_dir: Path) -> None:
    """Set the folder of Triton's compilation cache, unless the environment does.

    Where that cannot be written, a temporary one: Triton compiles nothing without.
    """
    if CACHE_VARIABLE not in os.environ:
        os.environ[CACHE_VARIABLE] = str(_writable(triton_cache(cache_dir)))
    # What the tests compare with; from Triton 3.10 on the default is another.
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")


def _writable(folder: Path) -> Path:
    try:
        check_writable(folder)
    except OSError as error:
        logger.warning(
            "%s cannot be written (%s): each start compiles the kernels anew",
            folder,
            error.strerror,
        )
        return Path(tempfile.mkdtemp(prefix="triton-"))
    return folder


def choose_kernels(
    model: LoadedModel, setting: str, report: Callable[[str], None] = lambda doing: None
) -> Kernels:
    """Return the fused kernels that are used for a model, whose weights are stored as they read.

    Args:
        model: On its device.
        setting: QWEN_KERNELS.
        report: Told what is being done.

    Raises:
        LoadError: A kernel has broken the device for this process.
    """
    device, dtype = model.placement.device, model.placement.dtype
    obstacle = kernels_obstacle(setting, device, dtype, compute_capability(device))
    if obstacle is None:
        report("compiling kernels and comparing them with PyTorch's operators")
        try:
            candidates = fused_kernels()
        except Exception as error:  # a Triton that cannot be imported: ImportError, OSError
            obstacle = _reason(error)
        else:
            compile_ahead(model, candidates)
            kernels = agreeing(model, candidates)
            if kernels.codec is not None:
                model.codec.to_channels_last()  # else they would have a copy of their own
            return kernels
    if setting != "plain" and device != "cpu":
        logger.warning("fused kernels cannot be used: %s. %s", obstacle, WITHOUT)
    return PLAIN


def with_attention_of(model: LoadedModel, kernels: Kernels) -> LoadedModel:
    """Return a model as kernels compute it: nothing uses flash-attn beside fused frames.

    Its pages would be larger than those that were compared.
    """
    if kernels.frame is None:
        return model
    return replace(model, placement=replace(model.placement, attention="sdpa"))


def agreeing(model: LoadedModel, candidates: Kernels) -> Kernels:
    """Return those that compute what PyTorch's operators do; one warning says why not the others.

    Raises:
        LoadError: As `choose_kernels`.
    """
    used: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for part, compare in comparisons(model, candidates):
        try:
            compare()
        except Exception as error:  # whatever a compiler, a driver or a kernel raises
            if is_fatal(error):
                raise LoadError(
                    f"The fused kernels of the {part} failed: {error} {WITHOUT}"
                ) from error
            logger.debug("comparing the kernels of the %s failed", part, exc_info=True)
            left_out[part] = _reason(error)
            release_memory(error)
        else:
            used[part] = getattr(candidates, part)
    for reason in dict.fromkeys(left_out.values()):
        logger.warning(
            "fused kernels of %s cannot be used: %s. %s",
            " and ".join(part for part in left_out if left_out[part] == reason),
            reason,
            WITHOUT,
        )
    return Kernels(**used, left_out=left_out)


def compile_ahead(model: LoadedModel, candidates: Kernels) -> None:
    """Compile what the comparisons launch, on all cores; without this they do, one by one."""
    if not compiles():
        return
    with collected() as specializations:
        for part, compare in comparisons(model, candidates):
            try:
                compare()
            except Exception as error:  # nothing has computed what it compares
                logger.debug("collecting the kernels of the %s: %s", part, _reason(error))
                release_memory(error)
    compile_all(specializations, model.placement.device)


def comparisons(
    model: LoadedModel, candidates: Kernels
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the parts that there are kernels for, and what compares them."""
    frame, codec, prefill = candidates.frame, candidates.codec, candidates.prefill
    if frame is not None:
        yield "frame", lambda: compare_frame(model.speech, frame)
    if codec is not None:
        yield "codec", lambda: compare_codec(model.codec, codec)
    if prefill is not None:
        yield "prefill", lambda: compare_prefill(model.speech, model.prompts, prefill)


def _reason(error: Exception) -> str:
    """Return an error in one line; compilers say much, and the end of it matters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no reason given'}".rstrip(".")


def fused_kernels() -> Kernels:
    """Return all fused kernels that there are; imports Triton."""
    from qwen_tts_api.model.kernels.codec.decoder import FusedCodec
    from qwen_tts_api.model.kernels.frame import FusedFrame
    from qwen_tts_api.model.kernels.prefill import FusedPrefill

    return Kernels(frame=FusedFrame, codec=FusedCodec, prefill=FusedPrefill)
