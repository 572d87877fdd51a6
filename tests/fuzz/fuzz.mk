# fuzz.mk - the libFuzzer targets of tests/fuzz. Part of the Makefile.
#
#   make fuzz                   each for FUZZ_TIME seconds (600)
#   make fuzz FUZZ="jinja"      some of them
#
# What they find beyond the seeds stays in build/fuzz/corpus, a failing input
# in build/fuzz/found. tests/checks/fuzz.sh runs them shortly.

FUZZ ?= $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_TIME ?= 600
FUZZ_LAYERS := weights model kernels record stream repo text tensor base

# clang alone has a fuzzer: a build of its own.
.PHONY: fuzz fuzz-build
fuzz-build:
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz \
		SAN=address,undefined,fuzzer-no-link CFLAGS='-O1 -g1' \
		$(FUZZ:%=build/fuzz/bin/fuzz-%)

$(BUILD)/bin/fuzz-%: $(BUILD)/obj/tests/fuzz/%.o \
		$(FUZZ_LAYERS:%=$(BUILD)/lib/lib%.a)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) -fsanitize=fuzzer $(LDFLAGS) $^ $(LDLIBS) -o $@

fuzz: fuzz-build
	@bash tests/fuzz/seeds.sh build/fuzz/seeds
	@mkdir -p build/fuzz/found
	@for f in $(FUZZ); do echo "== $$f"; mkdir -p build/fuzz/corpus/$$f; \
		build/fuzz/bin/fuzz-$$f -max_total_time=$(FUZZ_TIME) -timeout=20 \
			-rss_limit_mb=4096 -print_final_stats=1 -verbosity=0 \
			-dict=build/fuzz/seeds/$$f.dict \
			-artifact_prefix=build/fuzz/found/$$f- \
			build/fuzz/corpus/$$f build/fuzz/seeds/$$f || exit; done
