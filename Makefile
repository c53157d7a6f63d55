# Node 24 comes with npm ci; what runs outside npm calls it by its path.
node := node_modules/.bin/node --conditions=@ringway/source

.DEFAULT_GOAL := help
.PHONY: help run test lint types unit e2e chaos bench build clean setup

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## one locator, three nodes and a page, in one process; needs nothing but npm
	@scripts/setup.sh npm
	@exec $(node) packages/ringway/src/main.ts dev --nodes 3

test: ## every check: lint, types, unit, e2e, packages, a short round of each bench
	@scripts/test.sh

setup: ## install what the tests need: packages, Consul, Redis, RabbitMQ, Kafka, Chromium, wrk, ss
	@scripts/setup.sh

lint: ## style, formatting and the walls between packages
	@scripts/setup.sh npm
	@npm run --silent lint

types: ## the TypeScript compiler over everything
	@scripts/setup.sh npm
	@npm run --silent types

unit: ## unit, property and conformance tests
	@scripts/setup.sh
	@npm run --silent unit

e2e: ## end-to-end tests over real processes
	@scripts/setup.sh
	@npm run --silent e2e

chaos: ## processes killed, frozen and parted at random: make chaos SECONDS=600 SEED=42 LOG=redis
	@scripts/setup.sh npm consul redis
	@npm run --silent chaos -- --seconds "$(SECONDS)" --seed "$(SEED)" --log "$(LOG)" $(CHAOS)

bench: ## the benches, with their peers in the same run
	@scripts/setup.sh npm consul redis wrk ss nats
	@npm run --silent bench

build: ## the published packages, into packages/*/dist
	@scripts/setup.sh npm
	@npm run --silent build

clean: ## remove what was built and installed here
	rm -rf packages/*/dist .tools node_modules packages/*/node_modules bench/node_modules e2e/node_modules examples/*/node_modules
