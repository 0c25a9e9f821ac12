# The commands of this project. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install what the other commands need (Debian packages, .venv)
	@tools/setup

.PHONY: demo
demo: setup ## the whole chain: a server in a stock OpenStack, a real s390x Linux in it, its NICs from end to end
	@image=$$(dpm-image build debian) && dpm-lab demo --image "$$image"

.PHONY: test
test: setup ## everything that CI runs
	@tools/run-tests

.PHONY: test-fast
test-fast: setup lint ## lint, types and unit tests only
	@tools/unit-tests --fast

.PHONY: test-long
test-long: setup ## what takes too long for make test: nova-compute killed amid hundreds of servers, further boots
	@tools/long-tests

.PHONY: test-all
test-all: test test-long ## both

.PHONY: lint
lint: setup ## ruff, mypy --strict, imports, shellcheck, dib-lint, known vulnerabilities
	@tools/lint

.PHONY: bench
bench: setup ## how fast it is: ratios against a peer or a floor, as a table
	@python -m bench

.PHONY: docs
docs: setup ## the documents as HTML in doc/build/html, warnings are errors
	@sphinx-build -W --keep-going -q -b html doc/source doc/build/html

# DESTDIR is the root that the agent is installed into: an image, a package's build root, a test's folder.
.PHONY: install-guest
install-guest: ## install the guest agent into DESTDIR (no network, no virtual environment)
	@tools/install-guest "$(DESTDIR)"

.PHONY: clean
clean: ## remove what the commands made in this folder (caches in ~/.cache/nova-dpm stay)
	rm -rf $(VENV) build dist doc/build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
