# A million watched descriptors in one epoll. Included by the Makefile at the top.

.PHONY: million

ifeq ($(SYSTEM),Linux)
million_parts := $(call object_of,$(wildcard harness/million/*.c))

all: $(BUILD)/million

$(BUILD)/million: LDLIBS += $(kqueue_libs)
$(BUILD)/million: $(million_parts) $(microbench_parts) $(microbench_kqueue) $(microbench_common)
	@mkdir -p $(@D)
	$(link)

million: bench-options bench-deps
	@$(call bench_unknown,FULL SMOKE ONLY PNG)
	@$(MAKE) --no-print-directory built BUILT='$(BUILD)/million $(BUILD)/microbench_yardstick'
	@$(bench_python) -m bench.million $(if $(TCP),--kind tcp) $(if $(SEED),--seed $(call quoted,$(SEED))) \
	    $(if $(RESUME),--resume $(call quoted,$(RESUME))) $(if $(filter no,$(PIN)),--unpinned) $(ARGS)
else
million:
	@echo 'skipped: million (epoll is there on Linux only)'
endif
