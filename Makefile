# The commands of this repository. On Debian, as root, they install what they need.
#   make demo    samples/identidock on our own engine, from nothing
#   make test    everything that needs no other container engine
#   make lint    ruff, mypy --strict, import-linter
#   make peers   contract and differential tests beside Docker and others (installs them)
#   make bench   timings beside docker compose, where a Docker engine is present
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := samples/identidock
PYTEST := $(BIN)/python -m pytest
# `make test AGAIN=--last-failed`: what failed the last time, and what did not run then.
AGAIN ?=

.PHONY: demo demo-down test unit lint peers bench clean

# pip leaves a stamp when it is done, so a second run takes seconds.
$(VENV)/runtime.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable .
	touch $@

$(VENV)/development.stamp: $(VENV)/runtime.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[test,lint]'
	touch $@

demo: $(VENV)/runtime.stamp
	sh .ci/debian-packages mmdebstrap
	$(BIN)/pycompose image bootstrap debian:bookworm-slim
	$(BIN)/pycompose --project-directory $(DEMO) up --detach --build --wait
	@echo
	@echo "identidock is up: http://$$($(BIN)/pycompose --project-directory $(DEMO) port identidock 5000 | sed 's/^0\.0\.0\.0/127.0.0.1/')/"
	@echo "  $(BIN)/pycompose --project-directory $(DEMO) logs --follow    reads along"
	@echo "  make demo-down                                                 takes it away"

demo-down: $(VENV)/runtime.stamp
	$(BIN)/pycompose --project-directory $(DEMO) down --volumes

test: $(VENV)/development.stamp
	sh .ci/debian-packages busybox-static e2fsprogs iproute2 mmdebstrap mount openssh-client openssl procps
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q $(AGAIN) -o cache_dir=.pytest_cache/unit -m "not peer and not root" tests
	$(PYTEST) -q $(AGAIN) -o cache_dir=.pytest_cache/root -m "root and not peer" tests
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report --skip-covered --skip-empty | tail -n 40

unit: $(VENV)/development.stamp
	$(PYTEST) -q -m "not peer and not root" tests

lint: $(VENV)/development.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: $(VENV)/development.stamp
	sh .ci/debian-packages busybox-static docker.io fish zsh docker-registry apache2-utils openssl podman skopeo umoci systemd
	sh .ci/reference
	$(PYTEST) -q $(AGAIN) -o cache_dir=.pytest_cache/peer -m peer tests

bench: $(VENV)/development.stamp
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
