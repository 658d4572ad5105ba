# Two commands are enough: `make run` shows a living dashboard, `make test` runs every test.
# Both install what is missing and say so; the second time they are quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# What a command has left half done is not there.
.DELETE_ON_ERROR:

LISTEN ?= 127.0.0.1:8080
# Not ./.state, where a daemon that is started by hand keeps what it knows.
STATE_DIR ?= target/demo
CHANNELS ?= 12
RUNS ?= 200
SEED ?=
PARALLEL ?= 4
HISTORIES ?= 1000000
STORMS ?= 10000
TARGET ?= all
SECONDS ?= 60

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: run
run: frontend ## Build everything, quickly, and run the daemon with simulated streams
	cargo build
	@scripts/run.sh "$(LISTEN)" "$(STATE_DIR)" "$(CHANNELS)"

.PHONY: build
build: frontend ## Build the dashboard and the daemon, optimised
	cargo build --release

.PHONY: frontend
frontend: frontend/dist/index.html ## Build the dashboard

frontend/node_modules/.package-lock.json: frontend/package.json frontend/package-lock.json
	@scripts/install.sh build
	cd frontend && npm ci --no-audit --no-fund
	@touch $@

# The folders, too: one is newer once a file in it has been deleted.
frontend/dist/index.html: frontend/node_modules/.package-lock.json $(shell find frontend/src frontend/public) frontend/index.html frontend/vite.config.ts frontend/sources.ts frontend/size.mjs
	cd frontend && npm run build
	@touch $@

.PHONY: test
test: ## Install what the tests need and run all of them
	@scripts/test.sh

.PHONY: torture
torture: ## Search for a wrong stop: histories, storms, failing daemons (HISTORIES=1000000 STORMS=10000 RUNS=200; RUNS=1 SEED=n: once more)
	@scripts/torture.sh "$(RUNS)" "$(SEED)" "$(PARALLEL)" "$(HISTORIES)" "$(STORMS)"

.PHONY: fuzz
fuzz: ## Fuzz every parser (SECONDS=60 each; TARGET=config: only that one)
	@scripts/fuzz.sh "$(TARGET)" "$(SECONDS)"

.PHONY: coverage
coverage: ## Tell which lines of actors/ the tests run
	@scripts/coverage.sh

.PHONY: bench
bench: frontend ## Measure the daemon against its peers and write docs/benchmarks.md (half an hour)
	@scripts/bench.sh all --write docs/benchmarks.md

.PHONY: deb rpm dist
deb: ## Build the Debian package into target/package
	@scripts/package.sh deb
rpm: ## Build the RPM package into target/package
	@scripts/package.sh rpm
dist: ## Build a tarball with everything into target/package
	@scripts/package.sh dist

.PHONY: lint
lint: ## Formatting and lints, as errors
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd frontend && npm run lint && npm run check

.PHONY: clean
clean: ## Remove what was built
	cargo clean
	rm -rf frontend/dist frontend/node_modules $(STATE_DIR)
