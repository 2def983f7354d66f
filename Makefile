# Everything this project does, by name. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One set of flags for every build and test, so that one build cache serves all.
export GOFLAGS := -trimpath -buildvcs=false
export CGO_ENABLED := 0

MODULE  := github.com/kubectl-svcx/kubectl-svcx
CLI     := $(MODULE)/cmd/kubectl-svcx/internal/cli
VERSION := $(or $(VERSION),$(shell git describe --tags --match 'v*' --dirty 2>/dev/null || echo v0.0.0-dev.$$(git rev-parse --short -q --verify HEAD || echo unknown)))
COMMIT  := $(or $(COMMIT),$(shell git rev-parse -q --verify HEAD || echo unknown))
# The commit's own date, so that the same commit gives the same bytes.
DATE    := $(or $(DATE),$(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null || echo unknown))

STAMP_PLUGIN := -s -w -X $(CLI).version=$(VERSION) -X $(CLI).commit=$(COMMIT) -X $(CLI).date=$(DATE)
STAMP_PROBE  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

##@ Using it

.PHONY: demo
demo: build ## Play the whole walk on a cluster (CONTEXT=… uses yours, else the lab is brought up)
	./hack/demo.sh $(if $(CONTEXT),--context=$(CONTEXT))

.PHONY: build
build: ## Build bin/kubectl-svcx and bin/svcx-probe
	@mkdir -p bin
	go build -ldflags '$(STAMP_PLUGIN)' -o bin/kubectl-svcx ./cmd/kubectl-svcx
	go build -ldflags '$(STAMP_PROBE)' -o bin/svcx-probe ./cmd/svcx-probe

.PHONY: install
install: build ## Copy the plugin, and the prober for nodes, to a folder on PATH (PREFIX=~/.local)
	GOOS=linux go build -ldflags '$(STAMP_PROBE)' -o bin/svcx-probe-linux-$(shell go env GOARCH) ./cmd/svcx-probe
	install -D -m 0755 bin/kubectl-svcx "$(or $(PREFIX),$(HOME)/.local)/bin/kubectl-svcx"
	install -D -m 0755 bin/svcx-probe-linux-$(shell go env GOARCH) "$(or $(PREFIX),$(HOME)/.local)/bin/svcx-probe-linux-$(shell go env GOARCH)"

##@ Proving it

.PHONY: test
test: build ## Unit tests, tests of the binary, and the end-to-end tests on the lab
	./hack/test.sh

.PHONY: test-unit
test-unit: ## Only the tests that need no cluster
	go test ./...

.PHONY: lint
lint: ## Format, vet, the walls between packages (golangci-lint) and the shell scripts
	./hack/lint.sh

.PHONY: faults
faults: build ## Seed every fault of the catalogue on a lab and ask verify for the cause (CASES="SVC2 healthy")
	./test/faults/run.sh $(CASES)

.PHONY: fuzz
fuzz: ## Every fuzz target for a bounded time (FUZZTIME=30s); what is found stands in testdata/fuzz
	./hack/fuzz.sh

.PHONY: bench
bench: build ## Side-by-side benchmarks against kubectl
	./hack/bench.sh

##@ The lab: a real cluster on one Linux machine

.PHONY: lab-build
lab-build: ## Build the lab (once; cached outside the checkout)
	./test/lab/build.sh

.PHONY: lab-up
lab-up: build lab-build ## Bring the lab up
	bin/svcx-lab up

.PHONY: lab-down
lab-down: ## Take the lab down; nothing of it stays
	bin/svcx-lab down

.PHONY: lab-status
lab-status: ## Show what the lab runs and where it answers
	bin/svcx-lab status

##@ Releasing it

.PHONY: dist
dist: ## Archives for every platform, with krew.yaml for them (VERSION=v1.2.3)
	./hack/dist.sh $(VERSION) $(COMMIT) $(DATE)

.PHONY: clean
clean: ## Remove what was built in the checkout
	rm -rf bin dist

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
