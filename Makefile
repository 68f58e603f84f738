# storm: `make run` puts a real control plane through a storm, `make test` is
# everything that CI needs. Both obtain what they need by themselves.

GO      ?= go
BIN     := bin/storm
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LINT    := v2.15.0
export CGO_ENABLED = 0

# What `make kind-image` builds: Kubernetes on the node, and etcd for shards, of
# one version or several. An empty KIND_NODE_ETCD is the etcd that kubeadm asks for.
KIND_KUBERNETES ?= v1.36.3
KIND_ETCD       ?= v3.6.16
KIND_NODE_ETCD  ?=
KIND_MIRROR     ?=

.PHONY: all build run test test-unit test-browser test-cluster test-kind test-long kind-image lint bench bench-fleet clean help

all: build

build: ## build the static binary bin/storm
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/storm

run: build ## put a local control plane through the quickstart scenario, and report it
	$(BIN) run quickstart

test: lint test-unit test-browser test-cluster ## everything that CI needs on every change

test-unit: ## pure logic, with the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

test-browser: ## the report's page in a real Chromium; skipped, and said so, where there is none and this is no CI
	$(GO) test -tags browser -run Browser -v ./report/render

test-cluster: build ## the same and more on real components; one package at a time, they share the cores
	$(BIN) components get
	$(GO) test -tags cluster -p 1 -timeout 25m ./...

test-kind: build ## the kind provider on real kind clusters: needs Docker and a node image (docs/providers.md)
	$(BIN) components get
	$(GO) test -tags kind -p 1 -timeout 40m ./clusters/kind/... ./faults ./scenarios/runner ./cmd/storm

kind-image: ## images for kind without a registry, from Go modules and Debian packages; KIND_KUBERNETES=v1.36.3 KIND_ETCD="v3.6.16 v3.5.35" (docs/kind.md)
	$(GO) run ./clusters/kind/image/cmd -kubernetes "$(KIND_KUBERNETES)" -etcd "$(KIND_ETCD)" -node-etcd "$(KIND_NODE_ETCD)" -mirror "$(KIND_MIRROR)"

test-long: build ## the whole catalogue, a planted slowdown, twenty comparisons of a cluster with itself: hours on an idle machine; RUN=Planted for a part
	$(BIN) components get
	$(GO) test -tags long -timeout 12h -run 'Long.*$(RUN)' -v ./cmd/storm

lint: ## golangci-lint, at a pinned version
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT) run ./...

bench: build ## figures: pacer, recorder, a link, analysis and rendering, cluster up and reset
	$(BIN) components get
	$(GO) test -run '^$$' -bench 'Pacer|Record|Cut|RoundTrip|Report|Render' -benchtime 2s ./internal/pace ./measure ./clusters/network ./report/render
	$(GO) test -tags cluster -run '^$$' -bench 'Up|Reset' -benchtime 3x ./clusters/local

bench-fleet: ## figures of the fleet and the client beside KWOK, hey, wrk and curl; ARGS="-rows a,c,d -span 1m", ARGS=-help (docs/performance.md)
	$(GO) build -trimpath -o bin/bench-fleet ./bench
	bin/bench-fleet $(ARGS)

clean: ## remove what was built here
	rm -rf bin

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
