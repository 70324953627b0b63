# SPDX-License-Identifier: BSD-2-Clause
#
# make            the daemon                    make run       install what is missing, build, run the demo
# make test       all tests                     make check     format, layers, headers, static analysis
# make install    DESTDIR= PREFIX=              make bench     against raw-forward, nginx, haproxy (QUICK=1, BASE=DIR)
# make fuzz       TIME= seconds a target        make coverage  lines of http/ and ws/
# make soak       TIME= the long tests          make clean
#
# SAN=address,undefined or SAN=thread, CC=clang, WERROR=1 and FAULTS=1 choose a
# variant; each has its own folder under build/.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
DESTDIR ?=
LAYERS := base net http ws endpoint upstream proxy config admin daemon
VERSION := 0.1.0

comma := ,
variant := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(COVERAGE),-coverage)
OUT := build/$(variant)

PACKAGES := libevent_core libevent_pthreads libcares libcrypto
CPPFLAGS += -D_GNU_SOURCE -DMOONGATE_VERSION='"$(VERSION)"' -Isrc $(PKG_CFLAGS)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) -fno-strict-aliasing -fstack-protector-strong -pthread $(SAN_FLAGS) $(COVERAGE_FLAGS)
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
COVERAGE_FLAGS := $(if $(COVERAGE),--coverage -O0)
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LDLIBS = $(shell pkg-config --libs $(PACKAGES)) -linih
LDFLAGS += -Wl,-z,relro,-z,now

sources = $(sort $(wildcard src/$(1)/*.c))
objects = $(patsubst src/%.c,$(OUT)/$(2)/%.o,$(call sources,$(1)))
# The layers below and including $(1), highest first, as static libraries.
up_to = $(if $(filter $(1),$(LAYERS)),$(call reversed,$(wordlist 1,$(call index,$(1)),$(LAYERS))))
index = $(words $(filter-out __after__,$(call before,$(1),$(LAYERS))))
before = $(if $(2),$(if $(filter $(1),$(firstword $(2))),$(firstword $(2)),$(firstword $(2)) $(call before,$(1),$(wordlist 2,99,$(2)))))
reversed = $(if $(1),$(call reversed,$(wordlist 2,99,$(1))) $(firstword $(1)))

.PHONY: all
all: build/moongate

# The daemon of the plain variant is build/moongate; every variant has its own.
build/moongate: $(OUT)/moongate
	@mkdir -p build && cp -f $< $@

$(OUT)/moongate: $(foreach l,$(LAYERS),$(call objects,$(l),obj))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(OUT)/moongate-faults: $(foreach l,$(LAYERS),$(call objects,$(l),fobj))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(OUT)/fobj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DMOONGATE_FAULTS $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
.SECONDEXPANSION:
$(OUT)/lib/%.a: $$(call objects,$$*,fobj)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

# Unit tests: tests/unit/LAYER_MODULE.c is linked with its layer and those below,
# in the variant in which calls can be made to fail.
UNIT := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/*_*.c)))
UNIT_BIN := $(UNIT:%=$(OUT)/unit/%)
layer_of = $(firstword $(subst _, ,$(notdir $(1))))
libs_of = $(foreach l,$(call up_to,$(call layer_of,$(1))),$(OUT)/lib/$(l).a)

$(OUT)/unit/%: tests/unit/%.c $$(call libs_of,$$*)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DMOONGATE_FAULTS $(ALL_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) -lcheck -lsubunit -lm -lrt

.PHONY: unit
unit: $(UNIT_BIN)

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
