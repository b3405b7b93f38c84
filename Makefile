# Builds the echo servers and runs their tests. `make` alone lists what there is. Needs GNU make.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CFLAGS  ?= -O2 -g
A       ?= poll_srv
B       ?= epoll_lt

SYSTEM := $(shell uname -s)

SERVERS := select_srv poll_srv kqueue_srv
ifeq ($(SYSTEM),Linux)
SERVERS += epoll_lt epoll_et
else
SKIPPED := epoll_lt epoll_et
endif

STRICT   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Werror
HARDENED := -fstack-protector-strong -fPIE
ifeq ($(SANITIZE),)
HARDENED += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
# Frame pointers and no inlined tail calls: a sanitizer's report is read by people.
HARDENED += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ALL_CFLAGS  := -std=c17 $(CFLAGS) $(HARDENED) $(STRICT)
ALL_LDFLAGS := $(LDFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE))
ifeq ($(SYSTEM),Linux)
# accept4, ppoll, epoll: not in POSIX, so glibc shows them on request only.
ALL_CFLAGS  += -D_GNU_SOURCE
ALL_LDFLAGS += -pie -Wl,-z,relro,-z,now
endif

# kqueue: the system's own, else libkqueue, else the emulation beside the server.
kqueue_sources := $(wildcard kqueue_srv/*.c)
ifneq ($(SYSTEM),Linux)
KQUEUE := native
else ifeq ($(shell pkg-config --exists libkqueue 2>/dev/null && echo yes),yes)
KQUEUE := libkqueue
kqueue_cflags := $(shell pkg-config --cflags libkqueue)
kqueue_libs   := $(shell pkg-config --libs libkqueue)
else
KQUEUE := emulation
kqueue_cflags  := -Ikqueue_srv/emulation
kqueue_sources += $(wildcard kqueue_srv/emulation/*.c)
endif

object_of = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
common_objects := $(call object_of,$(wildcard common/*.c))
common_archive := $(BUILD)/libcommon.a
programs := $(addprefix $(BUILD)/,$(SERVERS))
ifeq ($(KQUEUE),emulation)
test_programs := $(BUILD)/test_emulation
endif

.PHONY: help all test test-asan test-deps compare format lint lint-deps marks install \
        uninstall clean
.DEFAULT_GOAL := help

help:
	@echo 'make all          build the servers and the load generator into $(BUILD)/'
	@echo 'make test         build, get what the tests need, run them on every server'
	@echo 'make test-asan    the same with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make test-tsan    the load generator, which has threads, with ThreadSanitizer'
	@echo 'make faults       every call of every server fails once in every way (docs/faults.md)'
	@echo 'make mutants      planted bugs: each must be noticed by the tests that are named for it'
	@echo 'make fuzz         fuzz common/ for SECONDS=600 a target; fuzz-smoke: a minute in all'
	@echo 'make coverage     which lines and branches the tests reach'
	@echo 'make soak MINUTES=5'
	@echo '                  every server under mixed load, so many minutes each'
	@echo 'make bench        the experiments, with charts and verdicts; FULL=1 all of them;'
	@echo '                  ONLY="E2 poll_srv" a part of them'
	@echo 'make charts RESULTS=…, make bench-compare A=… B=…'
	@echo '                  draw results again, compare two (docs/experiments.md)'
	@echo 'make micro        what the load generator costs, and its proof of its own figures'
	@echo 'make instructions user-space instructions of each server for a message (valgrind)'
	@echo 'make compare A=$(A) B=$(B)'
	@echo '                  two servers side by side'
	@echo 'make format       lay the C sources out (clang-format)'
	@echo 'make lint         layout, marks, clang-tidy, cppcheck'
	@echo 'make install      servers and loadgen into $(DESTDIR)$(PREFIX)/bin (PREFIX, DESTDIR)'
	@echo 'make uninstall    … and out again'
	@echo 'make clean        remove $(BUILD)/'
	@echo
	@echo 'ARGS="-k idle -x" hands arguments to pytest. CC, CFLAGS, LDFLAGS and BUILD are taken.'

all: $(programs) $(test_programs)
	@$(foreach server,$(SKIPPED),echo 'skipped: $(server) (needs Linux)';)

# Objects depend on this file: it changes when the compiler or a flag does.
flags_now := $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(kqueue_cflags) $(ALL_LDFLAGS) $(kqueue_libs) $(KQUEUE)
ifneq ($(flags_now),$(shell cat $(BUILD)/flags 2>/dev/null))
$(shell rm -f $(BUILD)/flags)
endif
$(BUILD)/flags:
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(flags_now)' > $@

$(BUILD)/obj/kqueue_srv/%.o: ALL_CFLAGS += $(kqueue_cflags) -DKQUEUE_IMPLEMENTATION='"$(KQUEUE)"'

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define link
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS) -lm
endef

# An archive: the linker takes common/level.c only where a server has no serve() of its own.
$(common_archive): $(common_objects)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/select_srv $(BUILD)/poll_srv $(BUILD)/epoll_lt $(BUILD)/epoll_et: $(common_archive)
	$(link)
$(BUILD)/kqueue_srv: LDLIBS += $(kqueue_libs)
$(BUILD)/kqueue_srv: $(common_archive) $(call object_of,$(kqueue_sources))
	$(link)
$(BUILD)/select_srv: $(call object_of,$(wildcard select_srv/*.c))
$(BUILD)/poll_srv: $(call object_of,$(wildcard poll_srv/*.c))
$(BUILD)/epoll_lt: $(call object_of,$(wildcard epoll_lt/*.c))
$(BUILD)/epoll_et: $(call object_of,$(wildcard epoll_et/*.c))
$(BUILD)/test_emulation: $(call object_of,$(wildcard kqueue_srv/emulation/*.c kqueue_srv/emulation/tests/*.c))
	$(link)

include harness/loadgen/loadgen.mk
include harness/microbench/microbench.mk
include harness/bench/bench.mk
include harness/faults/faults.mk
include harness/fuzz/fuzz.mk
include harness/mutants/mutants.mk
include harness/coverage.mk
include harness/soak/soak.mk

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# The protocol's tests, and beside each tool its own.
tests := harness/conformance $(wildcard harness/tests harness/*/tests kqueue_srv/emulation/tests)

test-deps:
	@harness/require cc pytest numpy jinja2 gnuplot hypothesis
	@harness/require --optional strace valgrind ip

test: test-deps
	@$(MAKE) --no-print-directory all
ifeq ($(SYSTEM):$(SANITIZE),Linux:)
	@$(MAKE) --no-print-directory faults-servers
endif
	@BUILD_DIR=$(BUILD) harness/pytest $(tests) $(ARGS)

# Sanitizer builds live in directories of their own: switching costs nothing. What tests only Python is left out.
test-asan:
	@$(MAKE) --no-print-directory test BUILD=$(BUILD)/asan SANITIZE=address,undefined \
	    ARGS="--ignore-glob='*test_bench_*' $(ARGS)"

compare:
	@harness/compare $(A) $(B)

sources := $(shell find common *_srv epoll_* harness -name '*.[ch]' 2>/dev/null)

format:
	@harness/require clang-format
	clang-format -i $(sources)

lint-deps:
	@harness/require gcc clang-format clang-tidy cppcheck

marks:
	@harness/check-marks

# missingIncludeSystem: cppcheck is not given the system's headers, and needs none.
# ctuuninitvar: takes every struct error that a callee fills for one that is read before.
lint: lint-deps marks
	@harness/check-text
	clang-format --dry-run -Werror $(sources)
	printf '%s\n' $(filter %.c,$(sources)) | xargs -P 2 -n 8 sh -c 'clang-tidy --quiet "$$@" -- \
	    -std=c17 -D_GNU_SOURCE $(kqueue_cflags) -DKQUEUE_IMPLEMENTATION=\"$(KQUEUE)\"' clang-tidy
	cppcheck --quiet -j 2 --error-exitcode=1 --std=c11 --inline-suppr \
	    --enable=warning,performance,portability --suppress=missingIncludeSystem \
	    --suppress=ctuuninitvar \
	    $(filter %.c,$(sources))
ifeq ($(SYSTEM),Linux)
	@$(MAKE) --no-print-directory all BUILD=$(BUILD)/analyzer CC=gcc CFLAGS='-O2 -g -fanalyzer' >/dev/null
endif

installed := $(programs) $(BUILD)/loadgen
install: $(installed)
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 $(installed) '$(DESTDIR)$(PREFIX)/bin'

uninstall:
	rm -f $(addprefix '$(DESTDIR)$(PREFIX)/bin'/,$(notdir $(installed)))

clean:
	rm -rf $(BUILD)
