# Every server under mixed load, MINUTES each, one after the other. Included by the Makefile at the top.

MINUTES ?= 5

.PHONY: soak

# Loaded before libc. It stands alone: no sanitizer, and nothing of common/.
$(BUILD)/soak/in_use.so: harness/soak/in_use.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fPIC -shared -o $@ $<

soak: test-deps
	@$(MAKE) --no-print-directory all $(BUILD)/soak/in_use.so
	@BUILD_DIR=$(BUILD) PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 \
	    $$(harness/python) -m soak --minutes $(call quoted,$(MINUTES)) $(ARGS)
