# The measurements without a server: one wait, one cycle, libevent's chain, calls a message; and techniques, counted.
# Included by the Makefile at the top.

microbench_programs := $(addprefix $(BUILD)/,microbench_wait microbench_chain microbench_calls \
                         microbench_yardstick)
# Techniques that only Linux has: a program, and the file of the same name without "microbench_".
techniques          := herd sends relay
technique_programs  := $(addprefix $(BUILD)/microbench_,$(techniques))
technique_parts     := $(call object_of,$(addprefix harness/microbench/,loopback.c samples.c request.c descriptors.c))
microbench_parts    := $(filter-out $(addprefix %/,$(addsuffix .o,$(techniques) loopback)),$(filter-out \
                  $(BUILD)/obj/harness/microbench/microbench_%.o,$(call object_of,$(wildcard harness/microbench/*.c))))
microbench_kqueue   := $(call object_of,$(filter-out %/server.c,$(kqueue_sources)))
microbench_common   := $(call object_of,common/clock.c common/option_table.c common/json.c common/error.c \
                         harness/loadgen/waited.c)

.PHONY: microbench instructions

all: $(microbench_programs)

$(BUILD)/obj/harness/microbench/mechanism_kqueue.o: ALL_CFLAGS += $(kqueue_cflags) \
    -DKQUEUE_IMPLEMENTATION='"$(KQUEUE)"'

$(microbench_programs): LDLIBS += $(kqueue_libs)
$(microbench_programs): $(BUILD)/%: $(BUILD)/obj/harness/microbench/%.o $(microbench_parts) $(microbench_kqueue) \
    $(microbench_common)
	$(link)

ifeq ($(SYSTEM),Linux)
all: $(technique_programs)
else
.PHONY: techniques-skipped
all: techniques-skipped
techniques-skipped:
	@$(foreach each,$(techniques),echo 'skipped: microbench_$(each) (needs Linux)';)
endif

$(technique_programs): $(BUILD)/microbench_%: $(BUILD)/obj/harness/microbench/microbench_%.o \
    $(BUILD)/obj/harness/microbench/%.o $(technique_parts) $(microbench_common)
	$(link)

# A quick look at all three, for every API.
microbench: $(microbench_programs)
	@harness/require pytest
	@BUILD_DIR='$(BUILD)' PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 $$(harness/python) -m microbench.table

ifeq ($(SYSTEM),Linux)
instructions:
	@harness/require cc pytest valgrind
	@$(MAKE) --no-print-directory all
	@harness/microbench/instructions --build '$(BUILD)' $(ARGS)
else
instructions:
	@echo 'skipped: instructions (valgrind counts them on Linux)'
endif
