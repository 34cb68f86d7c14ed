# Everything runs in .venv; each target makes sure that it is there and complete.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APT := build-essential pkg-config libopencv-dev libturbojpeg0-dev python3-dev libgl1 libglib2.0-0
DEMO := runs/mnist5k-prime
TWO := -n 2 --dist loadgroup
QUICK := --ignore tests/kernels/test_compile.py --ignore tests/kernels/cuda tests/test_structure.py tests/kernels tests/pipeline/augment tests/pipeline/encodings tests/jobs/common tests/jobs/dataset/test_spec.py

.PHONY: help venv apt demo test test-quick test-slow test-campaign test-cuda cuda-table lint format bench attack clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(VENV)/.installed  ## install everything into .venv

$(VENV)/.installed: pyproject.toml
	@$(MAKE) --no-print-directory apt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e '.[samples,ffcv,s3,cluster,dev]'
	@echo "compiling the kernels, once"
	@$(BIN)/passband plan jobs/recipes/mnist5k-prime.yaml > /dev/null
	@touch $@

# FFCV is compiled on installation; the packages come first, or the exact command to get them.
apt:
	@missing=$$(dpkg-query -W -f='$${Package} $${Status}\n' $(APT) 2>&1 | grep -v 'ok installed' || true); \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(APT) >/dev/null; \
	else echo "FFCV needs packages of the system; run: sudo apt-get install -y --no-install-recommends $(APT)"; exit 1; fi

demo: venv  ## make, verify and show a small real dataset with PRIME and frequency views
	$(BIN)/passband run jobs/recipes/mnist5k-prime.yaml --output $(DEMO)
	$(BIN)/passband verify $(DEMO)
	$(BIN)/passband inspect $(DEMO) --sheet $(DEMO)/sheet.png
	$(BIN)/passband status $(DEMO)
	@echo "look at $(DEMO)/report.html and $(DEMO)/sheet.png"

test: venv  ## run the tests
	$(BIN)/pytest -q -m 'not slow and not campaign and not cuda_full' $(TWO) --durations=15

test-quick: venv  ## run the tests of kernels, stages, encodings, job files and structure, in two minutes
	$(BIN)/pytest -q -m 'not slow and not campaign and not cuda_full' $(TWO) $(QUICK)

test-slow: venv  ## run the tests that take long
	$(BIN)/pytest -q -m 'slow and not campaign' $(TWO) --durations=15

test-campaign: venv  ## lose each process of a cluster at each phase, read every damaged file
	$(BIN)/pytest -q -m campaign

test-cuda: venv  ## run every check of the CUDA kernels: on the CPU, then on a GPU if there is one
	$(BIN)/pytest -q -n 2 --dist loadgroup --durations=10 --device host tests/cuda_host tests/kernels \
	  tests/pipeline/augment/test_contract.py tests/jobs/bench tests/jobs/generation/test_device.py
	$(BIN)/pytest -q --device cupy tests/kernels tests/jobs/bench tests/pipeline/augment/test_contract.py

cuda-table: venv  ## write the tables of kernels/cuda/README.md
	$(BIN)/python -m tests.cuda_host.table

lint: venv  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: venv  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv  ## measure every stage, training with stored views, the codecs, and a whole run
	$(BIN)/passband bench augment
	$(BIN)/passband bench training
	$(BIN)/python -m benchmarks.augment
	$(BIN)/python -m benchmarks.frequency
	$(BIN)/python -m benchmarks.codec
	$(BIN)/python -m benchmarks.generate
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.sada
	$(BIN)/python -m benchmarks.sensitivity

attack: venv  ## damage, kill and starve real outputs and commands; SHARE=0.1 makes a tenth of the attempts
	$(BIN)/python -m benchmarks.attack --share $(or $(SHARE),1)

clean:  ## remove the environment and what the demo made
	rm -rf $(VENV) runs
