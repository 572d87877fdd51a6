# graft: git history to LoRA adapter.
#
#   make deps     install what is needed to build and test (Debian 12)
#   make          programs in build/bin
#   make check    every test and check; closes with "N passed, N failed"
#   make demo     from a repository to a scored adapter
#   make demo-real    the same on SmolLM2-135M, which comes from PyPI
#   make demo-scratch     small models from nothing, language then code
#   make stress   runs of train and of the demo, stopped at random moments
#   make bench    speed and memory, as ratios to other tools
#   make cuda     train and evalprompts for NVIDIA cards, in build/cuda
#   make bench-cuda   their speed, as shares of what a card can do
#   make bundle   all of it with its libraries, in build/bundle
#   make install  PREFIX=/usr/local DESTDIR=
#
# Adding a program, a library file or a test is adding a file: sources are
# found by folder. CC=clang and SAN=address,undefined have builds of their
# own. Layers are archives linked in one order, so the linker refuses an
# upward call.

VERSION := 0.1.0
FORMAT := $(shell sed -n 's/^.define STREAM_VERSION //p' lib/stream/head.h)
PREFIX ?= /usr/local
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN ?=
BUILD ?= build$(if $(filter-out gcc,$(CC)),/$(CC))$(if $(SAN),/san)
CXX := $(if $(findstring clang,$(CC)),clang++,g++)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wvla -Wno-missing-field-initializers -Werror
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARN) -Ilib -I. -MMD -MP \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer)
LDLIBS := -Wl,--as-needed -lgit2 -lcrypto -lpcre2-8 -lutf8proc -lzstd -lz \
	-lsodium -lcjson -ldl -lm
LDFLAGS += -pthread $(if $(SAN),-fsanitize=$(SAN)) $(if $(BUNDLED), \
	-Wl$(comma)--disable-new-dtags$(comma)-rpath$(comma)'$$ORIGIN/../lib:$$ORIGIN/../../lib')
comma := ,

# Lowest last: the order of the link line.
LAYERS := cli tool report train eval data weights model kernels-cpu kernels-cuda \
	kernels-ref kernels-ref64 kernels record stream repo text tensor base
ARCHIVES := $(LAYERS:%=$(BUILD)/lib/lib%.a)

lib_objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(1)/*.c)))
PROGRAMS := $(patsubst bin/%.c,$(BUILD)/bin/%,$(sort $(wildcard bin/*.c)))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,\
	$(sort $(wildcard tests/unit/*.c)))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,\
	$(sort $(wildcard tests/bench/*.c)))

.PHONY: all unit interop standin cuda bundle check-cuda bench-cuda clean check \
	check-unit check-cli stress man golden bench bench-programs demo demo-real \
	demo-scratch install deps
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

# ---- building -----------------------------------------------------------

$(BUILD)/obj/lib/tool/version.o: ALL_CFLAGS += \
	-DGRAFT_FORMAT=$(FORMAT) -DGRAFT_VERSION='"$(VERSION)"'
$(BUILD)/obj/lib/tool/version.o: lib/stream/head.h
$(BUILD)/obj/lib/model/device.o: ALL_CFLAGS += -DGRAFT_VERSION='"$(VERSION)"'
$(BUILD)/obj/lib/tensor/codec_%.o: ALL_CFLAGS += -O3 -fno-trapping-math
ifeq ($(shell uname -m),x86_64) # elsewhere these files are empty
AVX2 := -mavx2 -mfma -mf16c
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512vl -mavx512dq
$(BUILD)/obj/%_avx2.o: ALL_CFLAGS += $(AVX2)
$(addprefix $(BUILD)/obj/%_avx512,.o bf16.o vnni.o): ALL_CFLAGS += $(AVX512) \
	$(patsubst %,-mavx512%,$(filter bf16 vnni,$(subst _avx512, ,$(*F))))
$(BUILD)/obj/kernels/cpu/vec_%.o: ALL_CFLAGS += $(if $(SAN),-O1 -DSPREAD=0)
endif

# `make deps demo` builds after the one is done, also with -j.
AFTER := $(filter deps,$(MAKECMDGOALS))

$(BUILD)/obj/%.o: %.c | $(AFTER)
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(ALL_CFLAGS) -c $< -o $@

# The layouts and rules that are built in, as texts.
TEMPLATES := $(sort $(wildcard templates/*.template)) rules/scrub.json
$(BUILD)/gen/templates.c: $(TEMPLATES) templates templates/embed.sh | $(AFTER)
	@mkdir -p $(@D)
	@bash templates/embed.sh $(TEMPLATES) >$@
$(BUILD)/obj/gen/templates.o: $(BUILD)/gen/templates.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(ALL_CFLAGS) -c $< -o $@
$(BUILD)/lib/libtext.a: $(BUILD)/obj/gen/templates.o

# The reference back end a second time, in double.
$(BUILD)/obj/ref64/%.o: kernels/ref/%.c | $(AFTER)
	@mkdir -p $(@D)
	@echo "  CC $< (double)"; \
	$(CC) $(ALL_CFLAGS) -DREF_DOUBLE -c $< -o $@

define archive
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcsD $@ $^
endef

$(BUILD)/lib/libkernels-cpu.a: $(call lib_objs,kernels/cpu)
	$(archive)
$(BUILD)/lib/libkernels-cuda.a: $(call lib_objs,kernels/cuda)
	$(archive)
$(BUILD)/lib/libkernels-ref.a: $(call lib_objs,kernels/ref)
	$(archive)
$(BUILD)/lib/libkernels-ref64.a: $(patsubst kernels/ref/%.c,\
		$(BUILD)/obj/ref64/%.o,$(sort $(wildcard kernels/ref/*.c)))
	$(archive)
$(BUILD)/lib/libkernels.a: $(call lib_objs,kernels)
	$(archive)
define lib_rule
$(BUILD)/lib/lib$(1).a: $(call lib_objs,lib/$(1))
	$$(archive)
endef
$(foreach l,$(filter-out kernels%,$(LAYERS)),$(eval $(call lib_rule,$(l))))

$(BUILD)/bin/%: $(BUILD)/obj/bin/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(LDFLAGS) $< $(ARCHIVES) $(LDLIBS) -o $@

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(LDFLAGS) $< $(ARCHIVES) $(LDLIBS) -o $@

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(LDFLAGS) $< $(ARCHIVES) $(LDLIBS) -o $@

# Programs whose back end keeps its memory from them: tests/guarded/device.c.
GUARDED := $(addprefix $(BUILD)/guarded/,train evalprompts generate)
$(BUILD)/guarded/%: $(BUILD)/obj/bin/%.o $(BUILD)/obj/tests/guarded/device.o \
		$(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(LDFLAGS) $(filter %.o,$^) $(ARCHIVES) $(LDLIBS) \
	-o $@

include kernels/cuda/cuda.mk tests/fuzz/fuzz.mk

unit: $(UNIT) $(GUARDED) standin

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

clean:
	rm -rf build

# ---- tests --------------------------------------------------------------

JOBS ?= $(shell nproc)

# T="unit/NAME cli/NAME checks/NAME" runs only those.
check: $(AFTER)
	@$(MAKE) --no-print-directory -j$(JOBS) all unit bench-programs
	@bash tests/run.sh $(BUILD) $(JOBS) $(T)

check-unit: unit
	@bash tests/run.sh $(BUILD) $(JOBS) $(UNIT:$(BUILD)/%=%)

check-cli: all
	@bash tests/run.sh $(BUILD) $(JOBS) \
		$(patsubst tests/%.bats,%,$(wildcard tests/cli/*.bats))

CHECKS := $(patsubst tests/checks/%.sh,%,$(wildcard tests/checks/*.sh))
$(CHECKS:%=check-%): check-%: all
	@bash tests/run.sh $(BUILD) $(JOBS) checks/$*

# 200 runs stopped at random moments; RUNS=... for another number. And small
# demos, stopped 40 times; STOPS=...
stress: all
	@dir=$$(mktemp -d) && cd $$dir && PATH=$(abspath $(BUILD))/bin:$$PATH \
		python3 $(CURDIR)/tests/stops.py $(or $(RUNS),200); \
		status=$$?; rm -rf "$$dir"; exit $$status
	@STOPS=$(or $(STOPS),40) GRAFT_BUILD="$$(cd '$(BUILD)' && pwd)" \
		bats -f 'stopped anywhere' tests/cli/pipeline.bats

# The generated part of every man page, from the option tables.
man: all
	@bash man/update.sh $(BUILD)/bin

# Golden files change only by the one, each by its script's own command; the
# other runs what needs peers. PEERS is a Python environment that has them.
golden interop: all
	@PEERS='$(PEERS)' GRAFT_BUILD='$(BUILD)' bash tests/$@/run.sh

# Every bench runs, also after one that missed its bar. PEERS as above, and
# what else a script asks for at its top.
bench: all bench-programs
	@missed=0; for f in tests/bench/*.sh; do echo "== $$f"; \
		GRAFT_BUILD=$(abspath $(BUILD)) bash $$f || missed=1; done; \
	exit $$missed

bench-programs: $(BENCH)

# REPO=... for another repository than this one.
demo demo-real demo-scratch: $(AFTER)
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@MAKE='$(MAKE)' BIN='$(BUILD)/bin' WORK='$(or $(WORK),$(BUILD)/$@)' \
		bash pipelines/$@

# ---- installation -------------------------------------------------------

DATA = $(DESTDIR)$(PREFIX)/share
SCRIPTS := $(filter-out %.mk %/configs,$(wildcard pipelines/*))
# Pages name schemas and pipelines where they are installed.
INSTALLED := sed 's@\(^\|[ (]\)\(schemas\|pipelines\)/@\1$(PREFIX)/share/graft/\2/@g'

install: all
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/libexec/graft" \
		"$(DATA)/man/man1" "$(DATA)/man/man5" "$(DATA)/man/man7" \
		"$(DATA)/bash-completion/completions" "$(DATA)/doc/graft" \
		"$(DATA)/graft/schemas" "$(DATA)/graft/pipelines/configs/scratch"
	install $(filter-out %/graft,$(PROGRAMS)) \
		"$(DESTDIR)$(PREFIX)/libexec/graft"
	install $(BUILD)/bin/graft "$(DESTDIR)$(PREFIX)/bin"
	[ ! -e $(BUILD)/cuda/graft-cuda.so ] || install -m 644 \
		$(BUILD)/cuda/graft-cuda.so "$(DESTDIR)$(PREFIX)/libexec/graft"
	for f in man/man?/*.[157]; do n=$${f##*/} d="$(DATA)/$${f%/*}"; \
		case $$n in graft*) ;; *) n=graft-$$n; esac; \
		$(INSTALLED) $$f >"$$d/$$n" && chmod 644 "$$d/$$n" || exit; done
	for d in schemas pipelines/configs pipelines/configs/scratch; do \
		install -m 644 $$d/*.json* "$(DATA)/graft/$$d" || exit; done
	install -m 644 pipelines/*.mk "$(DATA)/graft/pipelines"
	install $(SCRIPTS) "$(DATA)/graft/pipelines"
	install -m 644 README.md LICENSE "$(DATA)/doc/graft"
	bash man/completion.sh $(BUILD)/bin \
		>"$(DATA)/bash-completion/completions/graft"

# ---- what it needs ------------------------------------------------------

DEPS := gcc g++ clang make libc6-dev libgit2-dev libssl-dev \
	libsodium-dev libzstd-dev zlib1g-dev libcjson-dev libopenblas0-pthread \
	libdnnl-dev libpcre2-dev libutf8proc-dev mandoc bats jq \
	git python3 zstd libedit2 libxxhash-dev

deps:
	@have=$$(dpkg-query -W -f '$${db:Status-Status}\n' $(DEPS) 2>/dev/null \
	| grep -c '^installed$$'); \
	[ "$$have" -lt $(words $(DEPS)) ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif command -v sudo >/dev/null; then as=sudo; \
	else echo "make deps: run as root, or install: $(DEPS)" >&2; exit 1; \
	fi; \
	$$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	$$as apt-get install -y -qq --no-install-recommends $(DEPS)
