# The measurements without a server: one wait, one cycle, libevent's chain, calls a message.
# Included by the Makefile at the top.

micro_programs := $(addprefix $(BUILD)/,micro_wait micro_chain micro_calls)
micro_parts    := $(filter-out %/micro_wait.o %/micro_chain.o %/micro_calls.o,\
                  $(call object_of,$(wildcard harness/micro/*.c)))
micro_kqueue   := $(call object_of,$(filter-out %/server.c,$(kqueue_sources)))
micro_common   := $(call object_of,common/clock.c common/parse.c common/report.c)

all: $(micro_programs)

$(BUILD)/obj/harness/micro/mechanism_kqueue.o: ALL_CFLAGS += $(kqueue_cflags) \
    -DKQUEUE_IMPLEMENTATION='"$(KQUEUE)"'

$(micro_programs): LDLIBS += $(kqueue_libs)
$(micro_programs): $(BUILD)/%: $(BUILD)/obj/harness/micro/%.o $(micro_parts) $(micro_kqueue) \
    $(micro_common)
	$(link)
