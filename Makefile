# What there is to make:
#
#   make          bin/ibctl, static: one file is all there is to install
#   make demo     ibctl on this host's HCAs, or in a lab VM where there are none
#   make test     everything: formatting, vet, unit tests with -race, and the lab's tests on all kernels
#   make soak     the long forms: tests that look at IBCTL_SOAK, each fuzz target for FUZZTIME (30s), the lab's tests
#   make bench    how fast ibctl is, beside its peers and by itself; see BENCHMARKS.md
#   make lab      a shell in a VM with soft HCAs; KERNEL=6.12 chooses the kernel
#   make install  bin/ibctl, manual pages, completions and systemd units below PREFIX (/usr/local), for packagers below DESTDIR
#   make deps     install the Debian packages that tests and lab need; the others do that by themselves
#
# IBCTL_LAB=off does without VMs, and says so. See internal/lab/doc.go for the lab's other variables.

SHELL := /bin/bash
GO ?= go
KERNEL ?=

STATIC := CGO_ENABLED=0 $(GO) build -trimpath

# What is left out, for it costs every start of ibctl: urfave/cli's Markdown renderer, gRPC's debug pages. VERSION is for builds
# outside of git; inside, Go knows it.
TAGS := urfave_cli_no_docs,grpcnotrace
VERSION ?=
LDFLAGS := -s -w $(VERSION:%=-X main.version=%)

PREFIX ?= /usr/local
DESTDIR ?=
SHARE = $(DESTDIR)$(PREFIX)/share
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
LAB := bin/lab

# The packages that boot VMs run by themselves, and not beside others on the same cores.
PLAIN_PACKAGES = $(GO) list ./... | grep -v -E '/internal/lab(/e2e)?$$'

.PHONY: all install deps check unit lab-tests test soak soak-unit fuzz soak-lab bench bench-lab bench-go demo lab clean FORCE
.NOTPARALLEL:

all: bin/ibctl

bin/ibctl: FORCE
	$(STATIC) -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $@ ./cmd/ibctl

bin/lab: FORCE
	@$(STATIC) -o $@ ./internal/lab/cmd/lab

# Installs what is built, so that root needs no Go. Pages name the files that they are installed with.
install:
	@[ -x bin/ibctl ] || $(MAKE) --no-print-directory bin/ibctl
	install -D -m 755 bin/ibctl $(DESTDIR)$(PREFIX)/bin/ibctl
	for page in man/*.[1-8]; do \
		sed 's|/usr/local/share|$(PREFIX)/share|' $$page | install -D -m 644 /dev/stdin $(SHARE)/man/man$${page##*.}/$${page##*/} || exit; \
	done
	sed 's|/usr/local/bin|$(PREFIX)/bin|' dist/systemd/ibctl.service | install -D -m 644 /dev/stdin $(UNITS)/ibctl.service
	install -D -m 644 dist/systemd/ibctl.socket $(UNITS)/ibctl.socket
	install -D -m 644 cmd/ibctl/completion/ibctl.bash $(SHARE)/bash-completion/completions/ibctl
	install -D -m 644 cmd/ibctl/completion/ibctl.zsh $(SHARE)/zsh/site-functions/_ibctl
	install -D -m 644 cmd/ibctl/completion/ibctl.fish $(SHARE)/fish/vendor_completions.d/ibctl.fish

deps:
	@internal/lab/deps.sh || { [ "$$IBCTL_LAB" = off ] && echo "deps: going on without them, for IBCTL_LAB=off"; }

check:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not formatted with gofmt:"; echo "$$files"; exit 1; }
	$(GO) vet ./...

unit: deps
	$(GO) test -race -timeout 40m $$($(PLAIN_PACKAGES))

lab-tests: deps
	$(GO) test -race -count=1 -timeout 30m ./internal/lab
	CGO_ENABLED=0 $(GO) test -v -count=1 -timeout 80m ./internal/lab/e2e

test: check unit lab-tests
	@if [ "$$IBCTL_LAB" = off ]; then \
		echo "make test: passed WITHOUT the lab (IBCTL_LAB=off): nothing was tried on a real RDMA kernel"; \
	else \
		echo "make test: passed, with the lab's tests on kernel series $${IBCTL_LAB_KERNEL:-6.1, 6.12 and 7.x}"; \
	fi

# Who adds a long form has it look at IBCTL_SOAK (package internal/soak), and it is part of this. The whole output is kept in bin/;
# seeds, results and failures are shown. IBCTL_SOAK=10m is for how long those go on that have no end of their own.
IBCTL_SOAK ?= 1
FUZZTIME ?= 30s
SHOWN = grep -E --line-buffered '^(ok|FAIL|panic|fatal|lab: kernel)|--- FAIL|[.]go:[0-9]+: .*(IBCTL_SEED=|rounds|cycles)'

soak: soak-unit fuzz soak-lab
	@echo "make soak: passed$$([ "$$IBCTL_LAB" = off ] && echo ' WITHOUT the lab (IBCTL_LAB=off)')"

soak-unit: deps
	@mkdir -p bin
	set -o pipefail; IBCTL_SOAK=$(IBCTL_SOAK) $(GO) test -race -v -count=1 -timeout 3h $$($(PLAIN_PACKAGES)) 2>&1 | tee bin/soak-unit.log | $(SHOWN)

# go test fuzzes one target at a time.
fuzz:
	@mkdir -p bin
	@$(GO) test -list '^Fuzz' $$($(PLAIN_PACKAGES)) | \
		awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, names[i]; n = 0 }' >bin/fuzz-targets
	@while read -r package name; do \
		echo "fuzz $$name $$package"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package >bin/fuzz.log 2>&1 </dev/null || { cat bin/fuzz.log; exit 1; }; \
	done <bin/fuzz-targets

soak-lab: deps
	@mkdir -p bin
	set -o pipefail; IBCTL_SOAK=$(IBCTL_SOAK) CGO_ENABLED=0 $(GO) test -v -count=1 -timeout 6h ./internal/lab/e2e 2>&1 | tee bin/soak-lab.log | $(SHOWN)

# What is measured. bench-lab compares whole programs with their peers in one boot of the lab, so that both see the same machine;
# bench-go is Go benchmarks: those of the packages in BENCH. Package internal/bench says how to add to either.
BENCH := ./core ./internal/host ./internal/bench ./plugins/roce/survey ./cmd/ibctl
BENCHCOUNT ?= 5
BENCHTIME ?= 500ms

bench: bench-lab bench-go

bench-lab: deps $(LAB) bin/ibctl
	@$(STATIC) -o bin/pace ./internal/lab/cmd/pace
	@$(LAB) run $(KERNEL:%=-kernel %) -topology bench -path bin -timeout 30m -- sh -c 'uname -sr; pace'

bench-go: bin/ibctl
	@$(STATIC) -o bin/gobench ./internal/bench/cmd/gobench
	@set -o pipefail; IBCTL=$(CURDIR)/bin/ibctl $(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) -count $(BENCHCOUNT) $(BENCH) | bin/gobench

DEMO := for c in "ibctl dev list" "ibctl gid show"; do echo; echo "$$ $$c"; $$c; done

demo: bin/ibctl
	@if [ -n "$$(ls /sys/class/infiniband 2>/dev/null)" ]; then \
		echo "demo: on this host's HCAs, which are only looked at"; \
		PATH="$(CURDIR)/bin:$$PATH" sh -ec '$(DEMO)'; \
	else \
		echo "demo: this host has no HCA; booting a VM with soft ones"; \
		$(MAKE) --no-print-directory deps $(LAB) && $(LAB) run $(KERNEL:%=-kernel %) -topology demo -path bin -- sh -ec '$(DEMO)'; \
	fi

lab: deps $(LAB) bin/ibctl
	@$(LAB) shell $(KERNEL:%=-kernel %) -path bin

clean:
	rm -rf bin
