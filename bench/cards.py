"""GPUs by the memory bandwidth that their makers state: what bounds a frame of few slots."""

from __future__ import annotations

BANDWIDTH_GB_S = {
    "a100": 2039,  # SXM, 80 GB
    "b200": 8000,
    "h100": 3350,  # SXM
    "h200": 4800,
    "l4": 300,
    "l40s": 864,
    "rtx3090": 936,
    "rtx4090": 1008,
    "rtx5090": 1792,
}

LAUNCH_US = (1.5, 3.0)
"""What a kernel that is too small to fill a GPU takes within a CUDA graph, at least and at most.

Source: SGLang's study of this codec, 1,147 kernels in 3.7 ms, and what it measures of others.
"""
