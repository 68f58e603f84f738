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

FUZZTIME ?= 10s

# The packages that have tests on real components. test-unit runs all others.
CLUSTERED = $(shell grep -rlE --include='*_test.go' '^//go:build .*\bcluster\b' . | xargs -n1 dirname | sort -u)

.PHONY: all build run test test-unit test-browser test-cluster test-kind test-long fuzz kind-image lint bench bench-kind bench-fleet clean help

all: build

build: ## build the static binary bin/storm
	$(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/storm

run: build ## put a local control plane through the quickstart scenario, and report it
	$(BIN) run quickstart

test: lint test-unit test-browser test-cluster ## everything that CI needs on every change

test-unit: ## pure logic, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 15m ./...

test-browser: ## the report's page in a real Chromium; skipped, and said so, where there is none and this is no CI
	$(GO) test -tags browser -run Browser -v ./report/render

test-cluster: build ## on real components; one package at a time, they share the cores
	$(BIN) components get
	$(GO) test -tags cluster -p 1 -timeout 25m $(CLUSTERED)

test-kind: build ## the kind provider on real kind clusters: needs Docker and a node image (docs/providers.md)
	$(BIN) components get
	$(GO) test -tags kind -short -p 1 -timeout 75m ./clusters/kind/... ./faults ./scenarios/runner ./cmd/storm

fuzz: ## every fuzz target for a while, beyond the inputs that test-unit tries; FUZZTIME=10s
	@targets=$$(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' . | sed -E 's/^(.*)\/[^/]+:[0-9]+:func (.*)/\1 \2/'); test -n "$$targets"; \
	echo "$$targets" | while read -r dir name; do \
		echo "$$name in $$dir"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; done

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

bench-kind: build ## figures: a cluster of one kind node by storm and by kind alone, in turns, and its reset; needs what test-kind does
	$(BIN) components get
	$(GO) test -tags kind -run '^$$' -bench 'Up|Reset' -benchtime 3x ./clusters/kind

bench-fleet: ## figures of the fleet and the client beside KWOK, hey, wrk and curl; ARGS="-rows a,c,d -span 1m", ARGS=-help (docs/performance.md)
	$(GO) build -trimpath -o bin/bench-fleet ./bench
	bin/bench-fleet $(ARGS)

clean: ## remove what was built here
	rm -rf bin

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
