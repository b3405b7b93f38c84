# Planted bugs: every patch in this directory must be noticed by the tests that the manifest names.
# Included by the Makefile at the top.

.PHONY: mutants

ifeq ($(SYSTEM),Linux)
mutants: test-deps
	@harness/require patch strace
	@harness/mutants/run --build $(BUILD)/mutants $(ARGS)
else
mutants:
	@echo 'skipped: mutants (its tests need /proc, strace and preloaded libraries, as on Linux)'
endif
