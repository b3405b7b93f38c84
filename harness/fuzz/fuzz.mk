# The fuzz targets: with libFuzzer to find inputs, without it to run the corpus again.
# Included by the Makefile at the top. harness/fuzz/README.md says how it is used.

FUZZ_CC      ?= clang
FUZZ_TARGETS ?= frame connection loop options
SECONDS      ?= 600

# All of common/ but level.c and a server, which loop_mux.c and edge.c take in under other names, and
# what prints and catches signals, which the targets stand in for.
fuzz_common  := $(filter-out common/level.c common/error.c common/stats.c common/signals.c,$(wildcard common/*.c))
fuzz_sources := $(filter-out %/entry.c %/replay.c,$(wildcard harness/fuzz/*.c))
fuzz_shim    := -include harness/fuzz/shim.h

.PHONY: fuzz fuzz-smoke fuzz-merge fuzz-coverage fuzz-targets

all: $(BUILD)/fuzz_replay

# common/ once more, with its system calls led to the scripted kernel.
$(BUILD)/obj/fuzz/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(fuzz_shim) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz_replay: $(fuzz_common:%.c=$(BUILD)/obj/fuzz/%.o) \
                      $(call object_of,$(fuzz_sources) harness/fuzz/replay.c)
	$(link)

# libFuzzer is clang's, so these have a compiler and objects of their own.
fuzz_dir   := $(BUILD)/fuzz
fuzz_flags := -std=c17 -D_GNU_SOURCE -O1 -g -fno-omit-frame-pointer $(STRICT) \
              -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_objects := $(fuzz_common:%.c=$(fuzz_dir)/obj/%.o) $(fuzz_sources:%.c=$(fuzz_dir)/obj/%.o)

$(fuzz_dir)/obj/common/%.o: common/%.c harness/fuzz/fuzz.mk $(wildcard harness/fuzz/*.h)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(fuzz_flags) $(fuzz_shim) -MMD -MP -c -o $@ $<
$(fuzz_dir)/obj/harness/%.o: harness/%.c harness/fuzz/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_CC) $(fuzz_flags) -MMD -MP -c -o $@ $<
$(fuzz_dir)/fuzz_%: harness/fuzz/entry.c $(fuzz_objects)
	$(FUZZ_CC) $(fuzz_flags) -fsanitize=fuzzer -DFUZZ_TARGET=$*_target -o $@ $^
.SECONDARY: $(fuzz_objects)

-include $(shell find $(fuzz_dir)/obj -name '*.d' 2>/dev/null)

# What is found beyond the corpus is kept in $(fuzz_dir)/found/, a crash in $(fuzz_dir)/crashes/.
define fuzz_one
	@harness/fuzz/run $(fuzz_dir) $(1) $(2)

endef

fuzz_programs := $(FUZZ_TARGETS:%=$(fuzz_dir)/fuzz_%)

# FUZZ_TARGETS are some of these.
fuzz_known := $(patsubst harness/fuzz/%_target.c,%,$(wildcard harness/fuzz/*_target.c))
fuzz-targets:
	@$(if $(FUZZ_TARGETS),,$(call fuzz_refused,))$(foreach each,$(filter-out $(fuzz_known),$(FUZZ_TARGETS)),$(call fuzz_refused,$(each)))
fuzz_refused = echo $(call quoted,fuzz: FUZZ_TARGETS=$(1): there are $(fuzz_known)) >&2; exit 2;

# SECONDS for each target, one after the other.
fuzz: fuzz-targets
	@harness/require clang libfuzzer
	@$(MAKE) -s --no-print-directory $(fuzz_programs) $(BUILD)/fuzz_replay
	$(foreach target,$(FUZZ_TARGETS),$(call fuzz_one,$(target),$(SECONDS)))

# A minute in all, most of it where most can happen.
fuzz-smoke:
	@$(MAKE) --no-print-directory fuzz FUZZ_TARGETS='frame options' SECONDS=5
	@$(MAKE) --no-print-directory fuzz FUZZ_TARGETS=connection SECONDS=15
	@$(MAKE) --no-print-directory fuzz FUZZ_TARGETS=loop SECONDS=35

# Takes what was found into the corpus, as few inputs as reach the same edges.
fuzz-merge: fuzz-targets
	@harness/require clang libfuzzer
	@$(MAKE) -s --no-print-directory $(fuzz_programs)
	@$(foreach target,$(FUZZ_TARGETS),harness/fuzz/merge $(fuzz_dir) $(target) &&) true

# What the corpus reaches of common/, line by line in $(fuzz_dir)/coverage/.
fuzz-coverage:
	@harness/require clang libfuzzer llvm-cov
	@harness/fuzz/coverage $(fuzz_dir) $(FUZZ_CC) $(fuzz_common)
