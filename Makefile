# Every target that needs Python packages installs them once into .venv. Written for GNU make 3.81,
# which macOS has.

# What a caller may set, as in `make run PORT=9000` or `PORT=9000 make run`:
PORT ?= 8888
TORCH ?= auto
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= qwen-tts-api:$(VERSION)
KUBECTL ?= kubectl
DOCKER ?= docker
# ... and PYTHON (a Python 3.10 to 3.13), FLASH_ATTN (a wheel's URL), ARGS (for the program).
export TORCH FLASH_ATTN

PYTHON_CANDIDATES = $(or $(PYTHON),python3.11 python3.12 python3.13 python3.10 python3)

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
# One stamp for each build of PyTorch that can be asked for.
INSTALLED := $(VENV)/.installed-$(TORCH)

.DEFAULT_GOAL := help
.PHONY: help setup run docs figures check-kernels test test-all test-browser test-voice-agents test-fake-gpu test-gpu-kit test-image build-test-image check check-deploy bench bench-gpu gpu-kit soak lock image docker-run
.PHONY: nano-train deploy clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## Make .venv and install everything (TORCH=cpu or cuda, FLASH_ATTN=wheel, PYTHON=...)

$(VENV_PYTHON):
	@echo "Making $(VENV) ..."
	@for candidate in $(PYTHON_CANDIDATES); do \
	    "$$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' \
	        >/dev/null 2>&1 || continue; \
	    found=$$candidate; \
	    "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 || continue; \
	    exec "$$candidate" -m venv --clear $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
	    echo "error: $$found cannot make a virtual environment: its venv or ensurepip is missing" \
	        "(on Debian and Ubuntu: apt install $$("$$found" -c \
	        'import sys; print("python3.%d-venv" % sys.version_info[1])'))." >&2; \
	else \
	    echo "error: Python 3.10 to 3.13 is needed; none runs as: $(PYTHON_CANDIDATES)" \
	        "(set PYTHON=/path/to/python)." >&2; \
	fi; \
	exit 1

$(INSTALLED): pyproject.toml requirements.lock requirements-dev.lock tools/install.py $(VENV_PYTHON)
	@$(VENV_PYTHON) tools/install.py --dev
	@rm -f $(VENV)/.installed-*
	@touch $@

# The small model that speaks and needs no download and no GPU, unless the caller asks for another.
# These and every other QWEN_* variable of the caller reach the server.
run: export QWEN_MODEL_ID ?= nano-en
run: export QWEN_DEVICE ?= cpu
run: export QWEN_DTYPE ?= float32
run: export QWEN_ATTN_IMPL ?= sdpa
run: export QWEN_LOG_FORMAT ?= text
run: export QWEN_BIND ?= 0.0.0.0:$(PORT)
run: export QWEN_OPS_BIND ?= off
run: $(INSTALLED) ## Serve on port 8888 (PORT=9000; any QWEN_* setting: QWEN_MODEL_ID=...)
	@echo "Starting $$QWEN_MODEL_ID on http://$(subst 0.0.0.0,localhost,$(QWEN_BIND)) (Ctrl-C ends it)"
	@exec $(VENV_PYTHON) -m gunicorn -c gunicorn.conf.py wsgi:app

# Three files at once, each with its own server: two leave a part of two cores idle. ARGS=-n0 for a
# debugger. Of what is ignored nothing would be selected, but all be imported, by each process.
FILES_AT_ONCE := 3
IGNORED := --ignore=tests/browser --ignore=tests/image --ignore=tests/kit
PYTEST = $(VENV_PYTHON) -m pytest -n $(FILES_AT_ONCE) --dist loadfile $(IGNORED)
# Where it is set, every server and command that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
# Several files are on all cores already: threads of PyTorch would wait for each other.
test test-all: export OMP_NUM_THREADS ?= 1

test: $(INSTALLED) ## Run the quick tests, in a minute or two (ARGS="-k words" and the like)
	@$(PYTEST) --ignore=tests/clients $(ARGS)

test-all: $(INSTALLED) ## Run them with those that start servers, measure or take long
	@$(PYTEST) -m "not (gpu or fake_gpu or browser or agents or image or kit)" $(ARGS)

test-browser: $(INSTALLED) ## Run the tests of the page; needs Chromium and its driver
	@$(VENV_PYTHON) -m pytest -m browser $(ARGS)

test-gpu-kit: $(INSTALLED) ## Rehearse bench/gpu_session.sh on this machine, with the kit alone
	@$(VENV_PYTHON) -m pytest -m kit $(ARGS)

# An environment with packages of its own has all others of .venv, which comes after it on the path.
define AFTER_IT_VENV
	@$(VENV_PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    >"$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/venv.pth"
endef

# LiveKit and Pipecat bring 130 MB, and need older releases of packages that .venv has.
VOICE_AGENTS := build/voice-agents
VOICE_AGENTS_INSTALLED := $(VOICE_AGENTS)/.installed

$(VOICE_AGENTS_INSTALLED): requirements-agents.lock | $(INSTALLED)
	@$(VENV_PYTHON) -m venv --clear --without-pip $(VOICE_AGENTS)
	$(call AFTER_IT_VENV,$(VOICE_AGENTS))
	@$(VOICE_AGENTS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	    --no-compile --requirement requirements-agents.lock
	@touch $@

test-voice-agents: $(VOICE_AGENTS_INSTALLED) ## Have LiveKit and Pipecat speak with a server (Python 3.11 or newer)
	@$(VOICE_AGENTS)/bin/python -m pytest -m agents tests/clients/agents $(ARGS)

# An environment of its own: PyTorch's build with CUDA takes 5 GB.
FAKE_GPU := build/fake-gpu
FAKE_GPU_INSTALLED := $(FAKE_GPU)/.installed

$(FAKE_GPU_INSTALLED): tools/install.py requirements.lock | $(INSTALLED)
	@$(VENV_PYTHON) -m venv --clear $(FAKE_GPU)
	@$(FAKE_GPU)/bin/python tools/install.py --torch cuda --only pytorch
	$(call AFTER_IT_VENV,$(FAKE_GPU))
	@touch $@

test-fake-gpu: $(FAKE_GPU_INSTALLED) ## Run the path of a GPU with tensors that have no numbers; needs no GPU, but 5 GB
	@$(FAKE_GPU)/bin/python -m pytest -m fake_gpu $(ARGS)

# Needs no package of the environment: it can run while `setup` does.
build-test-image: $(VENV_PYTHON)
	@$(VENV_PYTHON) -m tools.image build

test-image: $(INSTALLED) ## Build the image and run it, without Docker; needs root, buildah, mmdebstrap, runc, haproxy
	@$(VENV_PYTHON) -m pytest -m image $(ARGS)
	@$(VENV_PYTHON) -m tools.image layers

check: $(INSTALLED) ## Check format, lint, types, Dockerfile, manifests, installed packages, merge conflicts
	@! grep -rnIE '^(<{7}|>{7}|[|]{7})( |$$)' . --exclude-dir=.git --exclude-dir=.venv --exclude-dir=build \
	    || { echo "error: the lines above are markers of a merge conflict" >&2; exit 1; }
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m mypy
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/kubernetes-validate --quiet --strict deploy/k8s/*.yaml
	$(VENV)/bin/kubernetes-validate --quiet --strict -k 1.30 deploy/k8s/*.yaml # the oldest that does
	$(VENV_PYTHON) tools/install.py --only check

# checkov brings 300 MB of its own, some of it at odds with ours.
CHECKOV_VERSION := 3.3.30
CHECKOV := build/checkov-$(CHECKOV_VERSION)/bin/checkov
OVERLAYS := k8s overlays/offline overlays/offline/models overlays/replicas overlays/replicas/models monitoring

$(CHECKOV): | $(VENV_PYTHON)
	@$(VENV_PYTHON) -m venv $(dir $(CHECKOV))..
	@$(dir $(CHECKOV))python -m pip install --quiet --no-compile --disable-pip-version-check \
	    checkov==$(CHECKOV_VERSION)

check-deploy: $(INSTALLED) $(CHECKOV) ## Build and check the manifests of deploy/ and docs/ (needs kubectl)
	@rm -rf build/manifests build/documents && mkdir -p build/manifests
	@for overlay in $(OVERLAYS); do \
	    $(KUBECTL) kustomize deploy/$$overlay >build/manifests/$$(echo $$overlay | tr / -).yaml || exit 1; \
	done
	@for overlay in $$($(VENV_PYTHON) -m tools.document_manifests build/documents); do \
	    $(KUBECTL) kustomize $$overlay >build/manifests/$$(echo $$overlay | tr / -).yaml || exit 1; \
	done
	$(VENV)/bin/kubernetes-validate --quiet --strict build/manifests/*.yaml build/documents/*.yaml
	$(CHECKOV) --config-file deploy/checkov.yaml --directory build/manifests

check-kernels: $(INSTALLED) ## Compile the fused kernels for every kind of GPU, without one (ARGS="--arch 90 --size 1.7b")
	@$(VENV_PYTHON) -m tools.check_kernels $(ARGS)

docs: $(INSTALLED) ## Make the tables in docs/ that come from the code anew
	@$(VENV_PYTHON) -m tools.document_tables

figures: $(INSTALLED) ## Measure the code: lengths, folders, files of a request (ARGS="--time-tests --record")
	@$(VENV_PYTHON) -m tools.code_figures $(ARGS)

bench: $(INSTALLED) ## Measure speed (ARGS for `python -m bench`)
	@$(VENV_PYTHON) -m bench $(ARGS)

bench-gpu: $(INSTALLED) ## Measure the published sizes on a GPU, with random weights (ARGS="--size 0.6b")
	@$(VENV_PYTHON) -m bench.gpu $(ARGS)

KIT_PYTHON ?= 3.12
gpu-kit: $(INSTALLED) ## Gather in build/gpu-kit what a GPU machine without a network lacks (KIT_PYTHON=3.12)
	@$(VENV_PYTHON) -m tools.gpu_kit --python $(KIT_PYTHON)

soak: $(INSTALLED) ## Minutes of clients good and bad, while things break (ARGS="--minutes 10")
	@$(VENV_PYTHON) -m bench.soak $(ARGS)

# Goes on from wherever an earlier run was ended; see tools/nano/README.md.
NANO_STEPS ?= 3600
NANO_FRAMES ?= 2048
nano-train: $(INSTALLED) ## Make the embedded voice anew (NANO_DIR=..., NANO_STEPS=3600)
	@$(VENV_PYTHON) -m tools.nano.needs | xargs $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check
	@$(VENV_PYTHON) -m tools.nano.record --minutes 180
	@$(VENV_PYTHON) -m tools.nano.fit
	@$(VENV_PYTHON) -m tools.nano.dataset --parts 20
	@$(VENV_PYTHON) -m tools.nano.train --steps $(NANO_STEPS) --frames $(NANO_FRAMES)
	@$(VENV_PYTHON) -m tools.nano.export build/nano
	@$(VENV_PYTHON) -m tools.nano.evaluate build/nano --wavs build/nano-wavs
	@$(VENV_PYTHON) -m tools.nano.evaluate build/nano --list fresh
	@$(VENV_PYTHON) -m tools.nano.curves build/nano-curves.png

# uv has a folder of its own: it must work without an installed .venv, and resolves what goes there.
UV_VERSION := 0.13.9
UV := build/uv-$(UV_VERSION)/bin/uv
COMPILE = $(UV) pip compile --quiet --config-file tools/lock.toml pyproject.toml

define LOCK_HEADER
# Made by `make lock`; do not edit. For Python 3.10 to 3.13, installed by tools/install.py with
# --no-deps. Left out on purpose:
#   torch and its CUDA packages: which build depends on the machine;
#   gradio and what it brings: only the demo of qwen-tts imports it;
#   torchaudio: none of its builds is for this PyTorch; the project has a stand-in.
endef
define DEV_LOCK_HEADER
# Made by `make lock`; do not edit. The tools of tests and checks, on top of requirements.lock.
endef
define AGENTS_LOCK_HEADER
# Made by `make lock`; do not edit. What `make test-voice-agents` has on top of both other locks, or
# in another version; for Python 3.11 to 3.13.
endef
export LOCK_HEADER DEV_LOCK_HEADER AGENTS_LOCK_HEADER

$(UV): | $(VENV_PYTHON)
	@$(VENV_PYTHON) -m venv $(dir $(UV))..
	@$(dir $(UV))python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

lock: $(UV) ## Resolve the lock files anew (ARGS=--upgrade takes newer versions)
	@mkdir -p build && cp requirements.lock build/all.lock 2>/dev/null || true
	@$(COMPILE) $(ARGS) --extra otel --output-file build/all.lock
	@{ echo "$$LOCK_HEADER"; sed '/^$$/,$$d' build/all.lock; } > requirements.lock
	@cat requirements.lock requirements-dev.lock > build/dev.lock 2>/dev/null || true
	@$(COMPILE) $(ARGS) --extra otel --extra dev --constraints build/all.lock --output-file build/dev.lock
	@{ echo "$$DEV_LOCK_HEADER"; awk -F '  +# ' '/^$$/ { exit } NR == FNR { main[$$1]; next } \
	    !($$1 in main)' requirements.lock build/dev.lock; } > requirements-dev.lock
	@cat requirements.lock requirements-dev.lock requirements-agents.lock > build/agents.lock 2>/dev/null || true
	@$(COMPILE) $(ARGS) --extra otel --extra dev --extra agents --output-file build/agents.lock
	@{ echo "$$AGENTS_LOCK_HEADER"; awk -F '  +# ' '/^$$/ { exit } !rest { venv[$$1]; next } \
	    !($$1 in venv) && !/< .3.11/' requirements.lock requirements-dev.lock rest=1 build/agents.lock; \
	    } > requirements-agents.lock

image: ## Build the container image (ARGS="--build-arg FLASH_ATTN=<wheel's URL>")
	$(DOCKER) build --tag $(IMAGE) --label org.opencontainers.image.version=$(VERSION) \
	    --label org.opencontainers.image.revision=$$(git rev-parse HEAD 2>/dev/null) $(ARGS) .

docker-run: ## Run the image on port 8888 with all GPUs; models stay in a volume
	$(DOCKER) run --rm --gpus all --publish $(PORT):8888 --shm-size 1g --stop-timeout 75 \
	    --volume qwen-tts-api-cache:/cache $(ARGS) $(IMAGE)

deploy: ## Apply deploy/k8s to the current Kubernetes context
	$(KUBECTL) apply -f deploy/k8s/

clean: ## Remove .venv and everything else that make made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
