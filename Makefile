# Targets for people and for the gate. Needs Go and make; test and bench add
# what else they need by apt-get when they may.

SHELL := /bin/bash
GO ?= go

.PHONY: run build test bench fuzz

run:
	$(GO) run ./cmd/legwork demo

build:
	$(GO) build -o bin/legwork ./cmd/legwork

test:
	$(call need,gcc:build-essential sipp:sip-tester lua5.1:lua5.1 redis-server:redis-server pg_ctlcluster:postgresql svwar:sipvicious)
	$(call need,chromium:chromium)
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@echo 'gofumpt -l .'; unformatted=$$($(GO) tool gofumpt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofumpt:"; echo "$$unformatted"; exit 1; fi
	$(GO) test -race ./...

bench: build
	$(call need,sipp:sip-tester kamailio:kamailio)
	$(GO) run ./cmd/legwork/bench --ratio --held 10000 --max

# Each target for FUZZTIME. Go adds an input that fails to the package's
# testdata/fuzz, where it stays as a seed.
FUZZTIME ?= 30s
fuzz:
	@status=0; \
	for package in $$($(GO) list ./...); do \
	  targets=$$($(GO) test -list '^Fuzz' $$package) || { echo "$$targets"; status=1; }; \
	  for target in $$(grep '^Fuzz' <<<"$$targets"); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || status=1; \
	  done; \
	done; exit $$status

# need installs Debian packages, given as program:package, whose program is not
# there. RUNLEVEL=1 keeps a package from starting its service. Without root or
# apt-get the tests that miss a program skip and say so.
define need
@missing=; for p in $(1); do command -v $${p%%:*} >/dev/null || missing="$$missing $${p#*:}"; done; \
if [ -z "$$missing" ]; then exit 0; fi; \
if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
  echo "not installed:$$missing (needs root and apt-get); what depends on them is skipped"; exit 0; fi; \
export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
for try in 1 2 3; do \
  apt-get update -q && apt-get install -qy --no-install-recommends $$missing && exit 0; \
done; \
echo "apt-get could not install$$missing; what depends on them is skipped"
endef
