# The measurements without a server: one wait, one cycle, libevent's chain, calls a message.
# Included by the Makefile at the top.

microbench_programs := $(addprefix $(BUILD)/,microbench_wait microbench_chain microbench_calls microbench_yardstick)
microbench_parts    := $(call object_of,$(filter-out harness/microbench/microbench_%.c,$(wildcard harness/microbench/*.c)))
microbench_kqueue   := $(call object_of,$(filter-out %/server.c,$(kqueue_sources)))
microbench_common   := $(call object_of,common/clock.c common/option_table.c common/json.c common/error.c)

.PHONY: microbench instructions

all: $(microbench_programs)

$(BUILD)/obj/harness/microbench/mechanism_kqueue.o: ALL_CFLAGS += $(kqueue_cflags) \
    -DKQUEUE_IMPLEMENTATION='"$(KQUEUE)"'

$(microbench_programs): LDLIBS += $(kqueue_libs)
$(microbench_programs): $(BUILD)/%: $(BUILD)/obj/harness/microbench/%.o $(microbench_parts) $(microbench_kqueue) \
    $(microbench_common)
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
