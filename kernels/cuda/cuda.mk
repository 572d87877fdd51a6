# cuda.mk - the CUDA back end: the plugin, and its sources over a stand-in.
# Part of the Makefile.

CUDA_SOURCES := $(sort $(wildcard kernels/cuda/*.cu))
CUDA_PLAIN := $(patsubst %.c,$(BUILD)/obj/plugin/%.o,\
	$(sort $(wildcard kernels/cuda/*.c)) lib/tensor/dtype.c \
	$(wildcard lib/tensor/codec*.c) lib/tensor/nf4.c lib/tensor/dynamic8.c \
	lib/base/bytes.c)
CUDA_FLAGS := -std=c++17 -Ikernels/cuda -Ilib -I. \
	-DGRAFT_VERSION='"$(VERSION)"'

# The plugin, for whoever has nvcc, and the programs that use it beside it:
# code for each kind of card since 2020, and PTX for later ones.
NVCC ?= nvcc
CUDA_ARCHS ?= 80 86 89 90 100
NVCC_FLAGS := -O3 -Ikernels/cuda/ptx -Xcompiler -fPIC,-fvisibility=hidden \
	-Xfatbin -compress-all \
	$(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
	-gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword \
	$(CUDA_ARCHS))

cuda: $(addprefix $(BUILD)/cuda/,train evalprompts op_times graft-cuda.so)

# For which cards it was last built: other ones build all of it anew.
CUDA_BUILT := $(BUILD)/obj/kernels/cuda/archs
$(CUDA_BUILT): always
	@mkdir -p $(@D)
	@echo '$(CUDA_ARCHS)' | cmp -s - $@ || echo '$(CUDA_ARCHS)' >$@
.PHONY: always

$(BUILD)/obj/kernels/cuda/%.o: kernels/cuda/%.cu $(CUDA_BUILT)
	@mkdir -p $(@D)
	@echo "  NVCC $<"; $(NVCC) $(CUDA_FLAGS) $(NVCC_FLAGS) -MMD -MP -c $< \
	-o $@

# What the programs have as well: to plan by, and conversions.
$(BUILD)/obj/plugin/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $< (plugin)"; \
	$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -c $< -o $@

$(BUILD)/cuda/graft-cuda.so: $(CUDA_SOURCES:%.cu=$(BUILD)/obj/%.o) \
		$(CUDA_PLAIN)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(NVCC) -shared -cudart static $^ -o $@ -lcublasLt \
	-Xlinker --disable-new-dtags -Xlinker -rpath,'$$ORIGIN/../../lib'

# The same sources for the processor, over tests/standin: programs beside a
# plugin that needs no card.
STANDIN := $(BUILD)/standin
STANDIN_FLAGS := $(CUDA_FLAGS) -Itests/standin -O1 -g -Wall -Wextra -Werror \
	-fPIC -fvisibility=hidden -MMD -MP \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
STANDIN_OBJS := $(patsubst %,$(BUILD)/obj/standin/%.o,\
	$(filter-out kernels/cuda/gemm.cu,$(CUDA_SOURCES)) \
	$(sort $(wildcard tests/standin/*.cc))) $(CUDA_PLAIN)

$(BUILD)/obj/standin/%.cu.o: %.cu
	@mkdir -p $(@D)
	@echo "  CXX $<"; $(CXX) $(STANDIN_FLAGS) -x c++ -c $< -o $@

$(BUILD)/obj/standin/%.cc.o: %.cc
	@mkdir -p $(@D)
	@echo "  CXX $<"; $(CXX) $(STANDIN_FLAGS) -O2 -c $< -o $@

$(STANDIN)/graft-cuda.so: $(STANDIN_OBJS)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CXX) -shared $(LDFLAGS) $^ -o $@

# What the instructions of ptx.cuh do, of a card and of the stand-in.
INSTRUCTIONS := tests/checks/instructions.cu
$(BUILD)/cuda/instructions: $(INSTRUCTIONS) kernels/cuda/ptx/ptx.cuh \
		$(CUDA_BUILT)
	@mkdir -p $(@D)
	@echo "  NVCC $@"; $(NVCC) $(CUDA_FLAGS) $(NVCC_FLAGS) $< -o $@ \
	-Xlinker --disable-new-dtags -Xlinker -rpath,'$$ORIGIN/../lib'

$(STANDIN)/instructions: $(BUILD)/obj/standin/$(INSTRUCTIONS).o \
		$(patsubst %,$(BUILD)/obj/standin/tests/standin/%.cc.o,\
		standin graph block fiber ptx)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CXX) $(LDFLAGS) $^ -o $@

$(STANDIN)/% $(BUILD)/cuda/%: $(BUILD)/bin/%
	@mkdir -p $(@D)
	@ln -f $< $@

$(STANDIN)/op_times $(BUILD)/cuda/op_times: $(BUILD)/bench/op_times
	@mkdir -p $(@D)
	@ln -f $< $@

standin: $(addprefix $(STANDIN)/,train evalprompts op_times instructions \
	graft-cuda.so)

# All of it in one folder, to be copied to a machine with a card; with SLIM=1
# a small one.
BUNDLE := $(BUILD)/bundle
bundle:
	@$(MAKE) --no-print-directory BUNDLED=1 BUILD=$(BUILD)/bundled all cuda \
		$(BUILD)/bundled/unit/cuda_ops $(BUILD)/bundled/bench/op_times \
		$(BUILD)/bundled/cuda/instructions
	@SLIM=$(SLIM) bash kernels/cuda/bundle.sh $(BUILD)/bundled $(BUNDLE)

# On a machine with a card.
check-cuda: bundle
	@bash $(BUNDLE)/check/check.sh

# What a card does, or, without one, what it would do at best. Variables are
# at the top of the script.
bench-cuda: all bench-programs
	@! command -v $(NVCC) >/dev/null || $(MAKE) --no-print-directory cuda
	@GRAFT_BUILD=$(abspath $(BUILD)) bash tests/bench/cuda.sh
