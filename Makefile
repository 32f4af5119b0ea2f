# What users run. Each target does its own set-up in .venv.

PYTHON ?= python3
PIP = .venv/bin/pip --disable-pip-version-check --quiet
INPUTS = pyproject.toml constraints.txt
# Two processes; tests that share a server stay in one of them.
PYTEST = .venv/bin/pytest -n 2 --dist loadgroup --no-loadscope-reorder

.PHONY: help setup serve test test-quick test-slow test-long chaos load bench fuzz check lock pin-images sbom format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/.serving ## the environment for serving

serve: setup ## Redis if needed, the API and a worker, on 127.0.0.1:8000
	@.venv/bin/digress serve

test: .venv/.development ## the tests, against real servers
	$(PYTEST)

test-quick: .venv/.development ## the quickest tests, none of which needs a server; a few minutes
	$(PYTEST) -m 'not (served or thorough or slow or long)'

test-slow: .venv/.development ## the tests that take longer; their measurements are printed
	$(PYTEST) -m slow -rP

test-long: .venv/.development ## training on files of one's own, then serving; DFT; compiled networks
	.venv/bin/pytest -m long -s

chaos: .venv/.development ## ten minutes of faults under traffic; what happened is in chaos.json
	.venv/bin/python -m tests.faults.chaos

load: .venv/.development ## a thousand jobs at once by two keys; what happened is in load.json
	.venv/bin/python -m tests.faults.load

bench: .venv/.benchmarks ## the speed of everything, against something else in the same run; a quarter of an hour
	.venv/bin/python -m tests.benchmarks

fuzz: .venv/.development ## ten thousand generated requests to a running service, by schemathesis; ten minutes
	.venv/bin/python -m tests.fuzz

check: .venv/.development ## format, lint, types, the import rule, sizes, documents, deployment files, known faults of packages
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -q --noconftest tests/test_structure.py tests/test_documentation.py
	.venv/bin/hadolint docker/*.Dockerfile
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	.venv/bin/kubernetes-validate --strict --quiet --no-warn docker/kubernetes/base/*.yaml
	.venv/bin/python docker/supply_chain.py sbom build/sbom
	.venv/bin/python docker/supply_chain.py audit

lock: .venv/.development ## renew constraints.txt and docker/*.lock after a change of pyproject.toml; UPGRADE=1 takes the newest versions
	.venv/bin/python docker/supply_chain.py lock $(if $(UPGRADE),upgrade)

pin-images: ## write the digests of base images into docker/ and docker-compose.yml; needs docker and the internet
	$(PYTHON) docker/supply_chain.py pin-images

sbom: .venv/.development ## bills of materials (CycloneDX) of the images, in build/sbom
	.venv/bin/python docker/supply_chain.py sbom build/sbom

format: .venv/.development ## rewrite the code in the project's format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean: ## remove the environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "On Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }

.venv/.serving: .venv/bin/pip $(INPUTS)
	@echo "installing into .venv; this takes a minute or two the first time"
	@$(PIP) install -c constraints.txt -e '.[worker,embedded]'
	@touch $@

.venv/.development: .venv/bin/pip $(INPUTS)
	@echo "installing into .venv; this takes a few minutes the first time"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ .venv/.serving

.venv/.benchmarks: .venv/.development
	@$(PIP) install -c constraints.txt -e '.[bench]'
	@touch $@
