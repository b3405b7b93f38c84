# Which lines and branches the tests reach. Included by the Makefile at the top.
#
# A build of its own, without optimisation, so that what is counted is what is written. A second one
# of poll_srv is what macOS would get: half of common/signals.c is for that.

coverage_build := $(BUILD)/coverage
coverage_flags := CC=gcc CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage HARDENED=-fPIE
coverage_tests ?= $(tests_of_programs)
coverage_polls ?= $(addprefix harness/conformance/test_,protocol.py signals.py timeouts.py failing_calls.py)

.PHONY: coverage

coverage: test-deps
	@harness/require gcc gcov
	@rm -rf $(coverage_build)
	@$(MAKE) --no-print-directory all BUILD=$(coverage_build) $(coverage_flags) >/dev/null
	@$(MAKE) --no-print-directory $(coverage_build)/without-ppoll/poll_srv \
	    BUILD=$(coverage_build)/without-ppoll CPPFLAGS=-DWITHOUT_PPOLL $(coverage_flags) >/dev/null
	@BUILD_DIR=$(coverage_build) harness/pytest $(coverage_tests) $(ARGS)
	@BUILD_DIR=$(coverage_build)/without-ppoll harness/pytest $(coverage_polls) -k poll_srv
	@$$(harness/python) harness/coverage $(coverage_build)
