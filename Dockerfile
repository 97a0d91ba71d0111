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
# With a password in it, say --secret id=pip.conf,src=<a pip.conf> instead.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# PyTorch's build, cuda or cpu: there is no GPU to look for while an image is built.
ARG TORCH=cuda
# A flash-attn wheel's URL (or a pip requirement, if BASE_IMAGE has nvcc); empty is without it, and
# attention then falls back to PyTorch's own.
ARG FLASH_ATTN=
WORKDIR /src
RUN python3 -m venv /opt/venv
COPY tools/install.py tools/
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    /opt/venv/bin/python tools/install.py --only packages

# Apart from the packages, so that a change of the project moves megabytes and not gigabytes.
FROM builder AS project
COPY pyproject.toml README.md LICENSE ./
COPY qwen_tts_api/ qwen_tts_api/
RUN PIP_ROOT=/project /opt/venv/bin/python tools/install.py --only project --no-editable

# Without the libsndfile that soundfile's wheel brings, it loads Ubuntu's, which encodes Opus at three
# times the speed.
FROM builder AS packages
RUN rm /opt/venv/lib/python3*/site-packages/_soundfile_data/libsndfile_* \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet pip

FROM ${BASE_IMAGE}
ARG TORCH=cuda
# Triton compiles what calls the driver on the machine itself, in C, when fused kernels are first
# used. The build for the CPU has no Triton.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 libsndfile1 \
    && if [ "$TORCH" != cpu ]; then \
        apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev; \
    fi \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin qwen \
    && install --directory --owner=qwen --group=qwen /cache
COPY --from=packages /opt/venv /opt/venv
COPY --from=project /project/ /
# Only /cache (models; keep it in a volume), /tmp and /dev/shm are written to: the root may be
# read-only. HOME serves the libraries that cache there, numba would otherwise try beside its code.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    HF_HOME=/cache/huggingface \
    QWEN_CACHE_DIR=/cache/qwen-tts-api
USER 10001:10001
WORKDIR /cache
VOLUME /cache
EXPOSE 8888 8889
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-m", "qwen_tts_api.server.healthcheck"]
STOPSIGNAL SIGTERM
# Whatever the base's entry point is, gunicorn itself is process 1 and gets the signals.
ENTRYPOINT []
CMD ["gunicorn", "-c", "python:qwen_tts_api.server.gunicorn_conf", "qwen_tts_api.server.wsgi:app"]
LABEL org.opencontainers.image.title="qwen-tts-api" \
    org.opencontainers.image.description="HTTP server for Qwen3-TTS: text in, speech out" \
    org.opencontainers.image.licenses="Apache-2.0"
