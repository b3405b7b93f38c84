# Every server under mixed load, MINUTES each, one after the other. Included by the Makefile at the top.

MINUTES ?= 5

.PHONY: soak

soak: test-deps
	@$(MAKE) --no-print-directory all
	@BUILD_DIR=$(BUILD) PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 \
	    $$(harness/python) -m soak --minutes '$(MINUTES)' $(ARGS)
