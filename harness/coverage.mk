# Which lines and branches the tests reach. Included by the Makefile at the top.
#
# A build of its own, without optimisation, so that what is counted is what is written. A second one
# of poll_srv is what macOS would get: half of common/signals.c is for that. In a third one each call can be made to
# fail (harness/faults/). What that sweep finds is for `make faults` to say: gcov's own calls are in this build, too.

coverage_build := $(BUILD)/coverage
# -std=gnu17: there gcc knows fork and execve as its own, and writes the counts before a process becomes another program.
coverage_flags := CC=gcc CFLAGS='-std=gnu17 -O0 -g --coverage' LDFLAGS=--coverage HARDENED=-fPIE
coverage_tests ?= $(tests_of_programs)
coverage_polls ?= $(addprefix harness/conformance/test_,protocol.py signals.py timeouts.py failing_calls.py)

coverage_faulted := $(coverage_build)/faulted
coverage_faults  := CC=gcc HARDENED=-fPIE faults_flags='-O0 -g --coverage' faults_links=--coverage faults_checks=

# A test that takes the right to write from a program compares what it says.
gcov_is_silent := GCOV_ERROR_FILE=/dev/null

.PHONY: coverage

coverage: test-deps
	@harness/require gcc gcov
	@rm -rf $(coverage_build)
	@$(MAKE) --no-print-directory all BUILD=$(coverage_build) $(coverage_flags) >/dev/null
	@$(MAKE) --no-print-directory $(coverage_build)/without-ppoll/poll_srv \
	    BUILD=$(coverage_build)/without-ppoll CPPFLAGS=-DWITHOUT_PPOLL $(coverage_flags) >/dev/null
	@$(MAKE) --no-print-directory faults-servers BUILD=$(coverage_faulted) $(coverage_faults) >/dev/null
	@$(gcov_is_silent) BUILD_DIR=$(coverage_build) harness/pytest $(coverage_tests) $(ARGS)
	@$(gcov_is_silent) BUILD_DIR=$(coverage_build)/without-ppoll harness/pytest $(coverage_polls) -k poll_srv
	@$(gcov_is_silent) BUILD_DIR=$(coverage_faulted) harness/faults/run >$(coverage_faulted)/sweep || test $$? -eq 1
	@$$(harness/python) harness/coverage $(coverage_build)
