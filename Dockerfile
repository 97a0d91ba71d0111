# The base is CUDA's smallest flavour: PyTorch's wheels bring the CUDA libraries, and those of the
# larger flavours, which LD_LIBRARY_PATH puts first, would be loaded in their place. What it adds to
# Ubuntu 24.04 (Python 3.12) is the check for a driver that can run CUDA 13.0, which PyTorch 2.13.0
# is built for (580 or newer), and the libraries that let data-centre GPUs do with an older one.
ARG BASE_IMAGE=nvidia/cuda:13.0.2-base-ubuntu24.04

FROM ${BASE_IMAGE} AS builder
# Versions are not pinned: the archives drop a version when there is a newer one.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
# Where pip looks besides PyPI. For an older driver than the base wants, say
# --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cu126 (and another BASE_IMAGE).
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# PyTorch's build, cuda or cpu: there is no GPU to look for while an image is built.
ARG TORCH=cuda
# A flash-attn wheel's URL (or a pip requirement, if BASE_IMAGE has nvcc); empty is without it, and
# attention then falls back to PyTorch's own.
ARG FLASH_ATTN=
ENV PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/venv
COPY tools/install.py tools/
COPY requirements.lock ./
RUN /opt/venv/bin/python tools/install.py --only packages
COPY pyproject.toml README.md LICENSE ./
COPY qwen_tts_api/ qwen_tts_api/
RUN /opt/venv/bin/python tools/install.py --only project --no-editable \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet pip

FROM ${BASE_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin qwen \
    && install --directory --owner=qwen --group=qwen /cache
COPY --from=builder /opt/venv /opt/venv
WORKDIR /app
COPY wsgi.py gunicorn.conf.py ./
# Only /cache (models; keep it in a volume), /tmp and /dev/shm are written to: the root may be
# read-only. HOME serves the libraries that cache there, numba would otherwise try beside its code.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    HF_HOME=/cache/huggingface \
    QWEN_CACHE_DIR=/cache/qwen-tts-api
USER 10001:10001
VOLUME /cache
EXPOSE 8888 8889
# http.client, since urllib.request would ask a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import http.client, os; port = os.environ.get('QWEN_BIND', ':8888').rpartition(':')[2]; ops = http.client.HTTPConnection('127.0.0.1', int(port), timeout=8); ops.request('GET', '/healthz'); raise SystemExit(ops.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
# Whatever the base's entry point is, gunicorn itself is process 1 and gets the signals.
ENTRYPOINT []
CMD ["gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
