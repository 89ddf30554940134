# What there is to do here. `make` alone prints the list.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# bird, birdc and ip live in sbin, which is not on every user's PATH.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

TESTENV := $(CURDIR)/.testenv
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(TESTENV)/bin/golangci-lint-$(GOLANGCI_VERSION)
FUZZTIME ?= 10s

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What the program says of itself (confd version): Go notes commit and date, but not
# in every kind of working tree.
VERSION ?= $(shell git describe --tags --always --abbrev=12 --dirty 2>/dev/null)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
LDFLAGS = -X confd/internal/version.Version=$(VERSION) -X confd/internal/version.Commit=$(COMMIT) -X confd/internal/version.Date=$(DATE)

.PHONY: build
build: ## Build bin/confd
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/confd ./confd

# The library that zooms in the pages of confd topology; pages of a build without it
# do not zoom. It is taken with npm, which checks it, and checked once more.
D3 := internal/topology/assets/d3.min.js
D3_VERSION := 7.9.0
D3_SUM := f2094bbf6141b359722c4fe454eb6c4b0f0e42cc10cc7af921fc158fceb86539

.PHONY: d3
d3: $(D3) ## Fetch d3, so that the pages of confd topology zoom (needs npm; before make build)

$(D3):
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	npm pack --silent --pack-destination "$$tmp" d3@$(D3_VERSION) >/dev/null && \
	tar -xOzf "$$tmp/d3-$(D3_VERSION).tgz" package/dist/d3.min.js >"$$tmp/d3" && \
	echo "$(D3_SUM)  $$tmp/d3" | sha256sum --check --quiet && mv "$$tmp/d3" $@

.PHONY: demo
demo: deps build ## Three nodes with real BIRDs and etcd: mesh, route reflector, filter (full as root, less without)
	internal/demo/demo.sh bin/confd

.PHONY: demo-recording
demo-recording: deps build ## Run the demo and write docs/demo.txt and docs/demo.svg, as they are shown in README.md (as root)
	go run ./internal/demo/record -confd bin/confd -to docs/demo

.PHONY: test
# Most tests wait for BIRD's timers, so more run at once than there are cores.
test: deps shells birds routers kube-apiserver ## Run all tests, against real servers
	go test -parallel 4 -timeout 20m ./...
	@if command -v gcc >/dev/null; then echo 'once more, with the race detector'; \
		CGO_ENABLED=1 go test -race -short -timeout 20m ./backends/... ./reload/... ./internal/... ./confd/...; \
	else echo 'no gcc here, which the race detector needs: left out'; fi

.PHONY: test-long
test-long: deps kube-apiserver ## Run the tests with random clusters and changes for some 10 minutes (SEED=n: others)
	go test ./internal/plan -run TestMemory -steps 10000 -seed $(or $(SEED),1)
	go test -timeout 60m -v ./confd -run 'TestDatastoresSayTheSame|TestServiceRoutes' -long -seed $(or $(SEED),1)

.PHONY: soak
soak: deps birds ## Change the cluster and break things at random for SOAK (10m), then all must be right (SEED=n: the same again)
	go test -timeout 0 -v ./confd -run TestSoak -soak $(or $(SOAK),10m) -seed $(or $(SEED),$(shell date +%s))

.PHONY: lab
lab: deps birds routers kube-apiserver ## Run whole clusters in namespaces, all scenarios and BIRDs (as root; RUN=name: some; REPORT=file, - prints: measure)
	go test -timeout 60m -v ./internal/lab -all -run '$(or $(RUN),$(if $(REPORT),TestConvergenceReport,.))' $(if $(REPORT),-report $(if $(filter -,$(REPORT)),-,$(abspath $(REPORT))))

.PHONY: lint
lint: $(GOLANGCI) ## Check the code: go vet and golangci-lint (settings in .golangci.yml)
	go vet ./...
	$(GOLANGCI) run ./...
	go -C internal/packaging vet ./...
	cd internal/packaging && $(GOLANGCI) run --config ../../.golangci.yml ./...

# Built from source through the module proxy: once, in a minute or two.
$(GOLANGCI):
	@mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(@D)/golangci-lint $@

.PHONY: bench
bench: deps build ## Measure clusters of 100, 1,000 and 5,000 nodes (some minutes; prints Markdown tables)
	go run ./internal/bench -confd bin/confd $(if $(AGAINST),-against $(AGAINST))
	go test -run '^$$' -bench Judge ./internal/guard

.PHONY: bench-golden
bench-golden: build ## Measure golden checks alone (AGAINST=path: and those of another build of confd)
	go run ./internal/bench -confd bin/confd -golden $(if $(AGAINST),-against $(AGAINST))

.PHONY: bench-kubernetes
bench-kubernetes: deps build ## Measure 5,000 Nodes, 2,000 Services and 10,000 EndpointSlices in Kubernetes
	go run ./internal/bench -confd bin/confd -only '^Kubernetes'

.PHONY: bench-table
bench-table: deps build kube-apiserver ## Measure what large clusters cost, in one table (AGAINST=path: beside another build of confd; RUNS=3; ONLY=etcd: that part; UPDATE=1: into the docs)
	go run ./internal/bench -confd bin/confd -summary -runs $(or $(RUNS),3) $(if $(ONLY),-only "$(ONLY)") $(if $(AGAINST),-against $(AGAINST)) $(if $(UPDATE),-update .)

.PHONY: bench-questions
bench-questions: build ## Measure explain, doctor and plan alone, at 5,000 nodes
	go run ./internal/bench -confd bin/confd -questions

.PHONY: bench-routes
bench-routes: birds build ## Measure what looking at routes costs BIRD, with 5,000 sessions and 50,000 routes (some 15 minutes)
	for bird in 2.0.12 3.1.8; do go run ./internal/bench -confd bin/confd -bird .testenv/bird/$$bird/bird -routes || exit 1; done

.PHONY: bench-fleet
bench-fleet: deps build ## Measure asking all nodes of 1,000 and 5,000 (a minute or two)
	go run ./internal/bench -confd bin/confd -fleet -sizes 1000,5000

.PHONY: bench-faults
bench-faults: deps birds build ## Measure how long faults last, from BIRD killed to disk full (as root, some 20 minutes; see docs/faults.md)
	go run ./internal/bench -confd bin/confd -faults -runs 3

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME (10s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r dir; do \
		for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
			echo "$$dir $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$dir </dev/null || exit 1; \
		done; \
	done

.PHONY: generate
generate: build ## Write docs/reference.md, docs/input.md and docs/doctor.md from the code
	bin/confd docs >docs/reference.md
	bin/confd docs input >docs/input.md
	bin/confd docs doctor >docs/doctor.md

.PHONY: check-generate
check-generate: build ## Fail where docs/reference.md, docs/input.md or docs/doctor.md is not what the code says
	bin/confd docs | diff -u docs/reference.md - || { echo 'docs/reference.md is old: run make generate'; exit 1; }
	bin/confd docs input | diff -u docs/input.md - || { echo 'docs/input.md is old: run make generate'; exit 1; }
	bin/confd docs doctor | diff -u docs/doctor.md - || { echo 'docs/doctor.md is old: run make generate'; exit 1; }

.PHONY: deps
deps: ## Install the programs that demo, tests and benchmark run: BIRD 2, etcd, iproute2 (Debian, as root)
	@internal/testenv/deps.sh

.PHONY: shells
shells: ## Install the shells that completions are tested in: bash with its completions, zsh, fish (Debian, as root)
	@internal/testenv/deps.sh /usr/share/bash-completion/bash_completion:bash-completion zsh:zsh fish:fish

.PHONY: birds
birds: ## Fetch BIRD 1.6, 2.0, 2.17 and 3.1 for the tests into .testenv, without installing them
	@internal/testenv/birds.sh $(TESTENV)/bird

GOBGP_VERSION := v3.37.0

.PHONY: routers
routers: $(TESTENV)/bin/gobgpd ## Fetch FRR, OpenBGPD, ExaBGP and GoBGP for the tests into .testenv, without installing them
	@internal/testenv/routers.sh $(TESTENV)/routers

$(TESTENV)/bin/gobgpd:
	@mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/osrg/gobgp/v3/cmd/gobgp@$(GOBGP_VERSION)
	GOBIN=$(@D) go install github.com/osrg/gobgp/v3/cmd/gobgpd@$(GOBGP_VERSION)

.PHONY: kube-apiserver
kube-apiserver: $(TESTENV)/bin/kube-apiserver $(TESTENV)/bin/etcd ## Build the Kubernetes API server that tests run: once, some 5 minutes

$(TESTENV)/bin/kube-apiserver:
	@mkdir -p $(@D)
	go -C internal/testenv/kube-apiserver build -ldflags='-s -w' -o $@ k8s.io/kubernetes/cmd/kube-apiserver

# Newer than Debian's: the API server streams lists only with this one.
$(TESTENV)/bin/etcd:
	@mkdir -p $(@D)
	go -C internal/testenv/kube-apiserver build -ldflags='-s -w' -o $@ go.etcd.io/etcd/server/v3

.PHONY: programs
programs: ## Build what is released for amd64 and arm64, into dist/programs (VERSION=v1.2.3: as that version)
	go -C internal/packaging run . programs --out $(CURDIR)/dist/programs $(if $(VERSION),--version $(VERSION))

.PHONY: packages
packages: ## Make deb and rpm for amd64 and arm64, into dist/packages (no root, no Docker)
	rm -rf dist/packages # a glob finds this version alone
	go -C internal/packaging run . packages --out $(CURDIR)/dist $(if $(VERSION),--version $(VERSION))

.PHONY: release
release: ## Make all that is released of the commit, twice, and compare; into dist/VERSION (VERSION=v1.2.3: as that version)
	go -C internal/packaging run . release --out $(CURDIR)/dist $(if $(VERSION),--version $(VERSION))

.PHONY: package-tools
package-tools:
	@internal/testenv/debianroot.sh $(TESTENV)/debian

.PHONY: test-packages
test-packages: test-debian test-images ## Run all that is released where users do (as root on Debian, some minutes)

.PHONY: test-debian
test-debian: package-tools ## Install, upgrade and remove packages on Debians with systemd and BIRD (as root on Debian)
	go -C internal/packaging test -timeout 20m ./...

.PHONY: images
images: ## Make container images for amd64 and arm64, into dist/images, without Docker (PUSH=registry/path: push them, too)
	go -C internal/packaging run . images --out $(CURDIR)/dist $(if $(VERSION),--version $(VERSION)) $(if $(PUSH),--push $(PUSH))

.PHONY: chart
chart: ## Pack the Helm chart, into dist/chart
	go -C internal/packaging run . chart --out $(CURDIR)/dist $(if $(VERSION),--version $(VERSION))

.PHONY: test-images
test-images: deps kube-apiserver helm ## Run the images by runc, as the chart has them, against a real API server (as root, a minute or two)
	@internal/testenv/runc.sh $(TESTENV)/runc
	go -C internal/packaging run . images --out $(TESTENV)/dist
	go test -timeout 20m -v ./etc -run 'TestTheImages' -images $(TESTENV)/dist/images

# Both are in use.
HELM3_VERSION := v3.22.0
HELM4_VERSION := v4.3.2

.PHONY: helm
helm: $(TESTENV)/bin/helm-$(HELM3_VERSION) $(TESTENV)/bin/helm-$(HELM4_VERSION) ## Build Helm 3 and 4, with which the tests try the chart: once, some 5 minutes

$(TESTENV)/bin/helm-v%:
	@mkdir -p $(@D)
	tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	CGO_ENABLED=0 GOBIN=$$tmp go install -ldflags='-s -w' helm.sh/helm/v$(word 1,$(subst ., ,$*))/cmd/helm@v$* && \
	mv "$$tmp/helm" $@

.PHONY: clean
clean: ## Remove what was built (.testenv stays: it takes a download to make)
	rm -rf bin dist
	go clean -testcache
