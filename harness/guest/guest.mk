# The guest in which instructions are counted: its first program, and the microbenchmark, linked statically because there
# is no C library in it. The objects are those of build/microbench_wait. Included by the Makefile at the top.

.PHONY: bench-count guest-programs

# A static libkqueue need not be there, and no kqueue is counted.
guest_make := $(MAKE) --no-print-directory $(if $(filter libkqueue,$(KQUEUE)),BUILD=$(BUILD)/emulation KQUEUE=emulation)
guest_build := $(BUILD)$(if $(filter libkqueue,$(KQUEUE)),/emulation)

guest-programs: $(BUILD)/guest/init $(BUILD)/guest/microbench_wait

$(BUILD)/guest/init: $(call object_of,harness/guest/init.c)
$(BUILD)/guest/microbench_wait: $(call object_of,harness/microbench/microbench_wait.c) $(microbench_parts) \
    $(microbench_kqueue) $(microbench_common)
$(BUILD)/guest/%:
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -static -s -o $@ $(filter %.o,$^) -lm

bench-count:
ifeq ($(SYSTEM),Linux)
	@$(call bench_unknown,FULL SMOKE ONLY PIN RESUME PNG TCP)
	@$(bench_seed)
	@harness/require cc pytest numpy jinja2 gnuplot --optional qemu-system-x86_64
	@$(guest_make) guest-programs
	@PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 BUILD_DIR=$(guest_build) $$(harness/python) -m bench.counts \
	    $(if $(SEED),--seed $(call quoted,$(SEED))) $(if $(KERNEL),--kernel $(call quoted,$(KERNEL))) $(ARGS)
else
	@echo 'skipped: bench-count (the guest runs programs for Linux)'
endif
