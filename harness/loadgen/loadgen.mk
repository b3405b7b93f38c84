# The load generator: its program, the one that its tests use, and its measurements of itself.
# Included by the Makefile at the top.

loadgen_sources := $(wildcard harness/loadgen/*.c)
loadgen_common  := $(addprefix common/,clock.c option_table.c json.c address.c error.c standard_streams.c)
loadgen_objects := $(call object_of,$(loadgen_sources) $(loadgen_common))
loadgen_parts   := $(filter-out %/main.o,$(loadgen_objects))

# --tls needs OpenSSL 3; without it the option says so.
loadgen_openssl := $(shell pkg-config --atleast-version=3.0 openssl 2>/dev/null && echo yes)
ifneq ($(loadgen_openssl),)
$(BUILD)/obj/harness/loadgen/secure.o: CPPFLAGS += -DLOADGEN_OPENSSL $(shell pkg-config --cflags openssl)
$(BUILD)/loadgen $(BUILD)/loadgen_probe $(BUILD)/loadgen_steps: LDLIBS += $(shell pkg-config --libs openssl)
endif

.PHONY: loadgen-steps loadgen-selftest test-tsan

all: $(BUILD)/loadgen $(BUILD)/loadgen_probe

$(BUILD)/loadgen $(BUILD)/loadgen_probe $(BUILD)/loadgen_steps: LDLIBS += -pthread
$(BUILD)/loadgen: $(loadgen_objects)
	$(link)
$(BUILD)/loadgen_probe: $(call object_of,harness/loadgen/probe/probe.c) $(loadgen_parts)
	$(link)
$(BUILD)/loadgen_steps: $(call object_of,harness/loadgen/steps/steps.c) $(loadgen_parts)
	$(link)

# What the client's single steps cost.
loadgen-steps: $(BUILD)/loadgen_steps
	@$(BUILD)/loadgen_steps

# What the client can do against a built-in echo, and the proof that its percentiles are right.
loadgen-selftest: $(BUILD)/loadgen
	@$(BUILD)/loadgen --selftest --connections 100

# The load generator; with SERVER=epoll_loops, say, a server that has threads, in its place.
test-tsan: test-deps
	@$(MAKE) --no-print-directory all BUILD=$(BUILD)/tsan SANITIZE=thread
	@BUILD_DIR=$(BUILD)/tsan SERVER=$(call quoted,$(SERVER)) harness/pytest \
	    $(if $(SERVER),harness/conformance $(wildcard beyond/$(SERVER)/tests),harness/loadgen/tests) $(ARGS)
