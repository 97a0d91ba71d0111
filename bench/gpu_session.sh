#!/usr/bin/env bash
# What a GPU machine without a network runs, from a copy of this folder with build/gpu-kit in it
# (`make gpu-kit`): the tests marked gpu, then the figures of bench.gpu, in eight minutes.
#
#     bash bench/gpu_session.sh OUT [--seconds 240] [--size 0.6b]
#
# It needs the machine's python3 with its PyTorch, numpy, scipy, numba and pytest. Figures are
# written to OUT as they come: gpu_<size>.json, gpu.log, gpu.md (a table) and gpu.png.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PYTHONPATH=$root exec python3 -m bench.gpu_session "$@"
