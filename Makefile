# SPDX-License-Identifier: BSD-2-Clause
#
# make            the daemon                    make run       install what is missing, build, run the demo
# make test       all tests                     make check     format, layers, headers, static analysis
# make install    DESTDIR= PREFIX=              make bench     against raw-forward, nginx, haproxy (QUICK=1, BASE=DIR)
# make fuzz       TIME= seconds a target, ONLY= make coverage  lines of http/ and ws/
# make soak       TIME= seconds, the long tests make format    the sources as `make check` wants them
# make deps       what a build needs            make bench-routes  the time to find a route
# make deb        a Debian package, in build/deb   make test-package  it, installed in a chroot
# make clean                                    make test-parity  Lua: the same scripts on Moongate and on nginx
#
# SAN=address,undefined or SAN=thread and CC=clang choose a variant, each with
# its own folder under build/; WERROR=1 makes warnings errors; V=1 shows commands.

ifdef FUZZ
CC := clang
endif
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
DESTDIR ?=
LAYERS := base net http ws endpoint upstream proxy lua config admin daemon
VERSION := 0.1.0

comma := ,
variant := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(COVERAGE),-coverage)$(if $(FUZZ),-fuzz)
OUT := build/$(variant)

PACKAGES := libevent_core libevent_pthreads libcares libssl libcrypto luajit libpcre2-8
CPPFLAGS += -D_GNU_SOURCE -DMOONGATE_VERSION='"$(VERSION)"' -Isrc $(PKG_CFLAGS)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) -fno-strict-aliasing -fstack-protector-strong -pthread $(SAN_FLAGS) $(COVERAGE_FLAGS)
sanitizers := $(SAN)$(if $(FUZZ),fuzzer-no-link$(comma)address$(comma)undefined)
SAN_FLAGS := $(if $(sanitizers),-fsanitize=$(sanitizers) -fno-omit-frame-pointer -fno-sanitize-recover=all)
COVERAGE_FLAGS := $(if $(COVERAGE),--coverage -O0)
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LDLIBS = $(shell pkg-config --libs $(PACKAGES)) -linih -lresolv -lm
LDFLAGS += -Wl,-z,relro,-z,now
# What libraries for ngx_lua find in nginx by the FFI (lua/ffi_symbols.h).
EXPORTS := $(foreach s,ngx_hex_dump ngx_atoi,-Wl,--export-dynamic-symbol=$(s))

# `$(call say,CC)` and $(Q) in front of a command: a short line instead of it.
Q := $(if $(V),,@)
say = $(if $(V),@:,@echo "  $(1) $@")

sources = $(sort $(wildcard src/$(1)/*.c))
objects = $(patsubst src/%.c,$(OUT)/$(2)/%.o,$(call sources,$(1)))
# The layers below and including $(1), highest first, as static libraries.
up_to = $(if $(filter $(1),$(LAYERS)),$(call reversed,$(wordlist 1,$(call index,$(1)),$(LAYERS))))
index = $(words $(filter-out __after__,$(call before,$(1),$(LAYERS))))
before = $(if $(2),$(if $(filter $(1),$(firstword $(2))),$(firstword $(2)),$(firstword $(2)) $(call before,$(1),$(wordlist 2,99,$(2)))))
reversed = $(if $(1),$(call reversed,$(wordlist 2,99,$(1))) $(firstword $(1)))

.PHONY: all
all: $(if $(SAN)$(COVERAGE)$(FUZZ),$(OUT)/moongate,build/moongate)

# The daemon that was asked for last, of those to be used rather than tested.
.PHONY: build/moongate
build/moongate: $(OUT)/moongate
	@cmp -s $< $@ || cp -f $< $@

$(OUT)/moongate: $(foreach l,$(LAYERS),$(call objects,$(l),obj))
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(EXPORTS) -o $@ $^ $(LDLIBS)
$(OUT)/moongate-faults: $(foreach l,$(LAYERS),$(call objects,$(l),fobj))
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(EXPORTS) -o $@ $^ $(LDLIBS)

$(OUT)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(OUT)/fobj/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -DMOONGATE_FAULTS $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
.SECONDEXPANSION:
.SECONDARY: $(LAYERS:%=$(OUT)/lib/%.a)
$(OUT)/lib/%.a: $$(call objects,$$*,fobj)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

# Unit tests: tests/unit/LAYER_MODULE.c is linked with its layer and those below,
# in the variant in which calls can be made to fail.
UNIT := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/*_*.c)))
UNIT_BIN := $(UNIT:%=$(OUT)/unit/%)
layer_of = $(firstword $(subst _, ,$(notdir $(1))))
libs_of = $(foreach l,$(call up_to,$(call layer_of,$(1))),$(OUT)/lib/$(l).a)

$(OUT)/unit/%: tests/unit/%.c $$(call libs_of,$$*)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -DMOONGATE_FAULTS $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) -lcheck -lsubunit -lm -lrt

# Fuzz targets: tests/fuzz/NAME.c, with libFuzzer in the FUZZ=1 variant, and in
# any other with a main that replays tests/fuzz/corpus/NAME.
FUZZERS := $(filter-out replay_main,$(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c))))
FUZZ_BIN := $(FUZZERS:%=$(OUT)/fuzz/%)
fuzz_main := $(if $(FUZZ),,$(OUT)/fuzz/replay_main.o)

$(OUT)/fuzz/replay_main.o: tests/fuzz/replay_main.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(OUT)/fuzz/%: tests/fuzz/%.c $(fuzz_main) $(foreach l,$(call up_to,config),$(OUT)/lib/$(l).a)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) -DMOONGATE_FAULTS $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) -o $@ $< $(fuzz_main) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

.PHONY: unit fuzzers
unit: $(UNIT_BIN)
fuzzers: $(FUZZ_BIN)

# Debian packages. What is there is left alone; without apt or the right to use
# it, the missing ones are named. Servers among them are not started: a policy of ours
# says so for the time of the installation, where there is none.
BUILD_DEPS := gcc libc6-dev pkg-config libevent-dev libc-ares-dev libssl-dev libinih-dev libluajit2-5.1-dev libpcre2-dev
CLANG_DEPS := clang llvm libclang-rt-14-dev
# The oracle of tests/parity, and libraries and servers for the scripts of tests/e2e.
PARITY_DEPS := nginx libnginx-mod-http-lua lua-nginx-websocket lua-cjson lua-nginx-redis lua-nginx-memcached \
	lua-nginx-dns lua-nginx-string lua-resty-lrucache redis-server memcached
TEST_DEPS := check cppcheck clang-format shellcheck python3-pytest python3-pytest-timeout \
	python3-pytest-xdist python3-websockets python3-selenium openssl sslscan nodejs node-ws chromium \
	chromium-driver iproute2 nftables systemd util-linux $(PARITY_DEPS) $(if $(filter clang%,$(notdir $(CC))),$(CLANG_DEPS))

# Those that are measured beside Moongate, and what makes their certificate.
BENCH_DEPS := nginx libnginx-mod-http-lua lua-nginx-websocket haproxy openssl

define install_missing
@command -v dpkg-query >/dev/null || { echo "no Debian: packages are not checked"; exit 0; }; \
missing=$$(for p in $(1); do \
	dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || printf ' %s' $$p; \
done); \
test -n "$$missing" || exit 0; \
as_root=; \
if test $$(id -u) -ne 0; then \
	if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || test -t 0; }; then as_root=sudo; else \
		echo "These packages are missing; install them as root, then try again:" >&2; \
		echo "    apt-get install$$missing" >&2; exit 1; \
	fi; \
fi; \
echo "installing:$$missing"; \
policy=/usr/sbin/policy-rc.d; \
if test ! -e $$policy; then \
	trap "$$as_root rm -f $$policy" EXIT; \
	printf '#!/bin/sh\nexit 101\n' | $$as_root tee $$policy >/dev/null && $$as_root chmod 755 $$policy || exit 1; \
fi; \
$$as_root apt-get -q update && \
$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends$$missing
endef

.PHONY: deps deps-test deps-bench deps-fuzz deps-coverage deps-deb deps-package
deps:
	$(call install_missing,$(BUILD_DEPS))
deps-test:
	$(call install_missing,$(BUILD_DEPS) $(TEST_DEPS))
deps-bench:
	$(call install_missing,$(BUILD_DEPS) $(BENCH_DEPS))
deps-fuzz:
	$(call install_missing,$(BUILD_DEPS) $(CLANG_DEPS))
deps-deb:
	$(call install_missing,$(BUILD_DEPS) check build-essential debhelper dpkg-dev fakeroot lintian)
deps-package:
	$(call install_missing,debootstrap iproute2 openssl util-linux)
deps-coverage:
	$(call install_missing,$(BUILD_DEPS) check gcovr)

# Builds start anew after `deps`, which may have brought the compiler; on all
# cores, unless -j says otherwise.
parallel = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: run
run: deps
	@$(MAKE) --no-print-directory $(parallel) build/moongate
	@echo
	@echo 'Moongate listens on 127.0.0.1:8080 and proxies /echo to an echo inside itself. Try, in another terminal:'
	@echo '    python3 -m websockets ws://127.0.0.1:8080/echo      (Debian: python3-websockets)'
	@echo '    wscat -c ws://127.0.0.1:8080/echo                   (Debian: node-ws)'
	@echo '    curl -i http://127.0.0.1:8080/echo                  no upgrade: 426'
	@echo 'Ctrl-C stops it. The routes are in conf/demo.conf; every key: build/moongate --help-config'
	@echo
	@exec build/moongate -c conf/demo.conf

.PHONY: test
test: deps-test
	@$(MAKE) --no-print-directory $(parallel) $(OUT)/moongate $(OUT)/moongate-faults unit fuzzers
	@OUT=$(OUT) CC=$(CC) SAN=$(SAN) UNIT="$(UNIT)" FUZZERS="$(FUZZERS)" tests/run

# Scripts on Moongate and on nginx's Lua module, whose transcripts are to be equal.
.PHONY: test-parity
test-parity: deps-test
	@$(MAKE) --no-print-directory $(parallel) $(OUT)/moongate
	@MOONGATE_BINARY=$(abspath $(OUT)/moongate) tests/parity/run

.PHONY: check
check:
	@CC=$(CC) tests/check/run

.PHONY: format
format:
	clang-format -i $(sort $(shell git ls-files -co --exclude-standard 'src/*.[ch]' 'tests/*.[ch]'))

TIME ?= 60
export TIME

.PHONY: fuzz
fuzz: deps-fuzz
	@$(MAKE) --no-print-directory $(parallel) FUZZ=1 fuzzers
	@tests/fuzz/run build/clang-fuzz/fuzz $(or $(ONLY),$(FUZZERS))

# Lines of http/ and ws/ that their unit tests reach.
COVERED := http ws
.PHONY: coverage
coverage: deps-coverage
	@$(MAKE) --no-print-directory $(parallel) CC=gcc COVERAGE=1 coverage-run

.PHONY: coverage-run
coverage-run: $(filter $(foreach l,$(COVERED),$(OUT)/unit/$(l)_%),$(UNIT_BIN))
	@find $(OUT) -name '*.gcda' -delete
	@for t in $^; do CK_VERBOSITY=silent CK_FORK=no $$t || exit 1; done
	@for l in $(COVERED); do \
		gcovr --root . --object-directory $(OUT)/fobj/$$l --filter "src/$$l/" --fail-under-line 95 $(OUT)/fobj/$$l || exit 1; \
	done

# Whoever names the servers to be measured has them, or does without.
.PHONY: bench
bench: $(if $(SERVERS),deps,deps-bench)
	@$(MAKE) --no-print-directory $(parallel) build/moongate
	@OUT=$(OUT) CC=$(CC) QUICK=$(QUICK) BASE=$(BASE) tests/bench/run

# The time to find a route among 10 and among 10 000.
$(OUT)/bench/routes: tests/bench/routes.c $(foreach l,$(call up_to,proxy),$(call objects,$(l),obj))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-routes
bench-routes: $(OUT)/bench/routes
	@$<

.PHONY: soak
soak: deps-test
	@$(MAKE) --no-print-directory $(parallel) $(OUT)/moongate $(OUT)/moongate-faults
	@OUT=$(OUT) SAN=$(SAN) REPORT=$(REPORT) tests/run soak

# Whatever PREFIX is: there the program looks, and so does its completion.
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
# As they stand they are for PREFIX=/usr.
place = sed 's|/usr/sbin/moongate|$(PREFIX)/sbin/moongate|g; s|/etc/moongate/|$(SYSCONFDIR)/moongate/|g'
.PHONY: install
install: build/moongate
	install -D -m 755 build/moongate $(DESTDIR)$(PREFIX)/sbin/moongate
	install -D -m 644 docs/moongate.8 $(DESTDIR)$(PREFIX)/share/man/man8/moongate.8
	install -D -m 644 docs/moongate.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/moongate.conf.5
	test -e $(DESTDIR)$(SYSCONFDIR)/moongate/moongate.conf || \
		install -D -m 644 conf/moongate.conf $(DESTDIR)$(SYSCONFDIR)/moongate/moongate.conf
	install -D -m 644 conf/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/moongate
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/moongate/examples conf/moongate.conf conf/demo.conf conf/lua-demo.conf
	$(place) systemd/notify-reload.conf > $(DESTDIR)$(PREFIX)/share/doc/moongate/examples/notify-reload.conf
	chmod 644 $(DESTDIR)$(PREFIX)/share/doc/moongate/examples/notify-reload.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/moongate/examples/handlers $(wildcard conf/handlers/*.lua)
	install -D -m 644 systemd/moongate.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/moongate.conf
	install -D -m 644 systemd/moongate.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/moongate.conf
	install -d $(DESTDIR)$(UNITDIR)
	for unit in moongate.service moongate@.service moongate.socket; do \
		$(place) systemd/$$unit > $(DESTDIR)$(UNITDIR)/$$unit && chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done

# The unit tests alone; nothing is installed for them.
.PHONY: test-unit
test-unit: unit
	@for t in $(UNIT_BIN); do CK_FORK=no CK_VERBOSITY=minimal $$t || exit 1; done

# Built from a copy of the tree, in which nothing else is going on.
DEB := build/deb
.PHONY: deb
deb: deps-deb
	rm -rf $(DEB)
	mkdir -p $(DEB)/moongate-$(VERSION)
	tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ --exclude=.pytest_cache . | tar -x -C $(DEB)/moongate-$(VERSION)
	cd $(DEB)/moongate-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b \
		$(if $(DEBEMAIL),"-m$${DEBFULLNAME:-$$DEBEMAIL} <$$DEBEMAIL>")
	lintian --fail-on error,warning --display-info --allow-root $(DEB)/*.changes
	@ls $(DEB)/*.deb

# Installs it in a chroot of its own and uses it there; as root.
.PHONY: test-package
test-package: deps-package deb
	tests/package/run $(DEB)/moongate_$(VERSION)-*.deb

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
