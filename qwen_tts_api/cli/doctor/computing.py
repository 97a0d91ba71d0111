"""Checks of PyTorch, the device, the dtype and the attention kernel."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator

from qwen_tts_api.cli.doctor.findings import Finding, error, ok, warning
from qwen_tts_api.cli.doctor.subject import Subject

GIB = 2**30


def check_pytorch(subject: Subject) -> Iterator[Finding]:
    """Check that PyTorch can be imported, and that its build can use the GPUs."""
    try:
        hardware = subject.hardware
    except Exception as failure:  # ImportError, OSError (a library), RuntimeError (two versions)
        yield error(f"PyTorch cannot be imported: {failure!r}.", "Install it anew (make setup).")
        return
    build = f"CUDA {hardware.cuda_version}" if hardware.cuda_version else "without CUDA"
    found = f"PyTorch {hardware.torch_version} ({build})"
    drivers = "; ".join(hardware.drivers)
    wants_gpu = subject.config.device != "cpu"
    level = error if wants_gpu else warning
    if hardware.drivers and not hardware.cuda_version:
        yield level(
            f"{found} is beside a GPU ({drivers}).",
            "Install the build with CUDA (make setup TORCH=cuda).",
        )
    elif hardware.drivers and not hardware.gpus:
        yield level(
            f"{found} can use no GPU of those that the driver lists ({drivers}).",
            "Update the driver to one for this CUDA, or install a build for an older one "
            "(PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cu126 make setup TORCH=cuda); "
            "look whether CUDA_VISIBLE_DEVICES hides them.",
        )
    else:
        yield ok(found)


def check_device(subject: Subject) -> Iterator[Finding]:
    """Check that the device exists."""
    device, gpus = subject.config.device, subject.hardware.gpus
    if device == "cpu" and gpus:
        yield warning(f"The CPU computes, and {gpus[0].name} is idle.", "Set QWEN_DEVICE=cuda:0.")
    elif device == "cpu":
        yield ok(f"cpu, {os.cpu_count()} cores")
    elif subject.gpu:
        name, memory = subject.gpu.name, subject.gpu.total_bytes / GIB
        yield ok(f"{device}, {name}, {memory:.1f} GiB")
    else:
        yield error(
            f"QWEN_DEVICE={device} is not there: PyTorch sees {len(gpus) or 'no'} GPUs.",
            "Set QWEN_DEVICE=cpu, or to a device that `nvidia-smi -L` lists (and give the "
            "container its GPU).",
        )


def check_dtype(subject: Subject) -> Iterator[Finding]:
    """Check that the device supports the dtype, and efficiently."""
    from qwen_tts_api.model.weights.placement import AMPERE

    dtype, gpu = subject.config.dtype, subject.gpu
    if subject.config.device == "cpu" and dtype != "float32":
        yield warning(
            f"{dtype} on a CPU, most of which have no units for it.", "Set QWEN_DTYPE=float32."
        )
    elif gpu and gpu.capability < AMPERE and dtype == "bfloat16":
        yield warning(
            f"{gpu.name} has no bfloat16 (compute capability "
            f"{gpu.capability[0]}.{gpu.capability[1]}; 8.0 is the first that has it).",
            "Set QWEN_DTYPE=float16.",
        )
    elif gpu and gpu.capability >= AMPERE and dtype == "float16":
        yield warning(
            "float16 has a smaller range than bfloat16, in which the checkpoints are published.",
            "Set QWEN_DTYPE=bfloat16.",
        )
    elif gpu and dtype == "float32":
        yield warning(
            "float32 takes twice the memory of 16 bits, and the time to read it.",
            "Set QWEN_DTYPE=bfloat16.",
        )
    else:
        yield ok(dtype)


def check_attention(subject: Subject) -> Iterator[Finding]:
    """Check that the attention kernel of the settings can run."""
    from qwen_tts_api.model.weights.placement import attention_kernel, flash_attention_obstacle

    config = subject.config
    kernel = attention_kernel(config.attn_impl)
    if kernel != "flash_attention_2":
        yield ok(kernel)
        return
    if config.device == "cpu":
        yield ok("sdpa, as on every CPU")
        return
    capability = subject.gpu.capability if subject.gpu else None
    obstacle = flash_attention_obstacle(config.device, config.dtype, capability)
    if obstacle:
        yield warning(
            f"sdpa, for flash_attention_2 cannot be used: {obstacle}.",
            "Set QWEN_ATTN_IMPL=sdpa, or install flash-attn (make setup FLASH_ATTN=<a wheel for "
            "this PyTorch and Python>).",
        )
    else:
        yield _try_flash_attention()


def check_kernels(subject: Subject) -> Iterator[Finding]:
    """Check that Triton can compile; whether the kernels are right is tested at the start."""
    from qwen_tts_api.engine.runner.kernels.choice import kernels_obstacle
    from qwen_tts_api.engine.runner.kernels.compiler import compiler_obstacle
    from qwen_tts_api.model.weights.placement import age_obstacle

    config = subject.config
    if config.kernels == "plain" or config.device == "cpu" or config.dtype == "float32":
        yield ok("plain")
        return
    without = "or set QWEN_KERNELS=plain."
    if subject.gpu is None:
        yield warning(
            f"Whether fused kernels can be used is not known: {config.device} is not there.",
            "Set QWEN_DEVICE to a device that is.",
        )
    elif obstacle := age_obstacle(subject.gpu.capability):
        yield warning(f"plain: {obstacle}.", "Set QWEN_KERNELS=plain: nothing is missing then.")
    elif obstacle := kernels_obstacle(
        config.kernels, config.device, config.dtype, subject.gpu.capability
    ):
        yield warning(f"plain: {obstacle}.", f"Install it (make setup TORCH=cuda), {without}")
    elif obstacle := compiler_obstacle(config.cache_dir):
        yield warning(
            f"plain, unless Triton has compiled its driver before: {obstacle}.",
            f"Install gcc and the headers of C and Python (on Debian and Ubuntu: apt install gcc "
            f"libc6-dev python3-dev), {without}",
        )
    else:
        yield ok("fused where they agree with PyTorch's operators, which the start tests")


def _try_flash_attention() -> Finding:
    try:
        importlib.import_module("flash_attn")
    except Exception as failure:  # built for another PyTorch: ImportError, OSError
        return error(
            f"flash-attn is installed and cannot be imported: {failure!r}.",
            "Install a wheel for this very PyTorch and Python, or set QWEN_ATTN_IMPL=sdpa.",
        )
    return ok("flash_attention_2")
