# Builds the echo servers and runs their tests. `make` alone lists what there is. Needs GNU make.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CFLAGS  ?= -O2 -g
# 1: a warning is an error. In lint and in CI only, so that a newer compiler's warnings stop nobody.
WERROR  ?=

# A file name with blanks is two names to make.
ifneq ($(words $(BUILD)),1)
$(error BUILD='$(BUILD)': name one directory, without blanks)
endif
of_the_shell := ' " ` \ ; & | < > ( ) * ? [ ] { } ! % : ,
ifneq ($(strip $(foreach each,$(of_the_shell),$(findstring $(each),$(BUILD)))),)
$(error BUILD=$(BUILD): name a directory without quotes and other special characters)
endif

SYSTEM := $(shell uname -s)

# name:directory:platform of each server of the list.
server_list := $(shell harness/servers name directory platform)
ifeq ($(server_list),)
$(error harness/servers.toml: no server could be read)
endif
field = $(word $(1),$(subst :, ,$(2)))
fits  = $(or $(filter any,$(call field,3,$(1))),$(and $(filter Linux,$(SYSTEM)),$(filter linux,$(call field,3,$(1)))))
all_servers        := $(foreach each,$(server_list),$(call field,1,$(each)))
server_directories := $(foreach each,$(server_list),$(call field,2,$(each)))
SERVERS := $(foreach each,$(server_list),$(if $(call fits,$(each)),$(call field,1,$(each))))

# make clean removes all of BUILD: so the project is not in it, and it is in no directory of sources.
build_at := ^$(abspath $(BUILD))/
ifneq ($(subst $(subst //,/,$(build_at)),,^$(CURDIR)/),^$(CURDIR)/)
$(error BUILD=$(BUILD): the project is in it; name a directory for what is built)
endif
first_of = $(firstword $(subst /, ,$(1)))
ifneq ($(filter $(call first_of,$(subst ^$(CURDIR)/,,$(build_at))),common docs harness labs plots \
    $(foreach each,$(server_directories),$(call first_of,$(each)))),)
$(error BUILD=$(BUILD): sources are in it; name a directory for what is built)
endif

# -Wno-psabi: on x86 with 32 bits gcc notes what an older gcc did otherwise.
STRICT   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wno-psabi $(if $(filter-out 0,$(WERROR)),-Werror)
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

object_of = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
common_objects := $(call object_of,$(wildcard common/*.c))
define link
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS) -lm
endef

.PHONY: help all built test test-asan test-deps stranger compare read site compile_commands.json format lint lint-deps \
        install uninstall clean
.DEFAULT_GOAL := help

help:
	@echo 'make all          build the servers and the load generator into $(BUILD)/'
	@echo 'make test         build, get what the tests need, run them on every server'
	@echo 'make test SERVER=…'
	@echo '                  the same of one server, which may be yours: docs/adding-a-server.md'
	@echo 'make test-asan    the same with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make test-tsan    the load generator, which has threads, with ThreadSanitizer; SERVER=...: a server'
	@echo 'make faults       every call of a server fails once in every way (docs/faults.md)'
	@echo 'make mutants      planted bugs: each must be noticed by the tests that are named for it'
	@echo 'make fuzz         fuzz common/ for SECONDS=600 a target; fuzz-smoke: a minute in all'
	@echo 'make fuzz-merge, make fuzz-coverage'
	@echo '                  take in what was found; what the corpus reaches (harness/fuzz/README.md)'
	@echo 'make coverage     which lines and branches the tests reach'
	@echo 'make soak MINUTES=5'
	@echo '                  every server under mixed load, so many minutes each'
	@echo 'make bench        the experiments, with charts and verdicts; FULL=1 all of them;'
	@echo '                  ONLY="E2 poll_srv" a part of them'
	@echo 'make bench-smoke  each experiment for seconds, to see that it works'
	@echo 'make bench-count  the instructions of one wait in kernel and program, counted in a guest (qemu)'
	@echo 'make bench-nginx  build/http beside nginx, by wrk (E22): two minutes'
	@echo 'make charts RESULTS=DIR, make bench-compare A=DIR B=DIR'
	@echo '                  draw results again, compare two (docs/experiments.md)'
	@echo 'make loadgen-steps, make loadgen-selftest'
	@echo '                  what each step of the load generator costs; its proof of its own figures'
	@echo 'make microbench   what the calls behind the servers cost, for every API'
	@echo 'make instructions user-space instructions of each server for a message (valgrind)'
	@echo 'make million      one wait while up to a million descriptors are watched in one epoll; TCP=1: connections'
	@echo 'make compare A=poll_srv B=epoll_lt'
	@echo '                  two servers side by side'
	@echo 'make read S=epoll_lt'
	@echo '                  all files on the path of one server, in the order of reading'
	@echo 'make trace SCRIPT=one-echo S="poll_srv epoll_et"'
	@echo '                  the system calls of servers on the same peers, side by side (docs/traces.md);'
	@echo '                  BUG=stale-event: with a planted bug, too; DIR=path/to/yours: and yours;'
	@echo '                  make trace-accept S=poll_srv: these are what the tests expect'
	@echo 'make lab-kit LAB=4 VARIANT=word'
	@echo '                  what a student of that lab gets, with a protocol of their own (labs/README.md)'
	@echo 'make lab-solution LAB=4 VARIANT=word'
	@echo '                  what a right submission hands in: for instructors (labs/instructors.md)'
	@echo 'make grade LAB=4 DIR=student/'
	@echo '                  grades a submission, and says why it lost points; VARIANT=word, OUT=DIR'
	@echo "make grade-all LAB=4 DIRS='class/*' JOBS=2"
	@echo '                  grades a class; VARIANT="autumn-{}": {} is the name of the submission'
	@echo 'make gradescope LAB=4'
	@echo '                  the .zip of an autograder for Gradescope; VARIANT=word'
	@echo 'make lab-selftest LABS="1 4"'
	@echo '                  the proof of the grader: right solutions, planted bugs, cheats; REPEAT=20'
	@echo 'make site         the web pages: $(BUILD)/site/index.html (docs/site/README.md)'
	@echo 'make compile_commands.json'
	@echo '                  how each file is compiled, for editors and clang tools'
	@echo 'make format       lay the C sources out (clang-format)'
	@echo 'make lint         layout, checks of the sources, static analysis of C, Python and shell'
	@echo 'make install      servers and loadgen into $(subst ','\'',$(DESTDIR)$(PREFIX))/bin (PREFIX, DESTDIR)'
	@echo 'make uninstall    remove them again'
	@echo 'make clean        remove $(BUILD)/'
	@echo
	@echo 'ARGS="-k idle -x" hands arguments to pytest. CC, CFLAGS, LDFLAGS and BUILD are taken.'
	@echo 'WERROR=1 makes warnings errors. Two makes at the same time need a BUILD each.'

# What a server.mk sets, beside the server.c of whoever has one: NAME_SOURCES (besides the directory's own *.c),
# NAME_CFLAGS, NAME_LDLIBS, NAME_ABSENT (why it cannot be built here), NAME_NOTE (a line to print when it is built).
include $(wildcard $(addsuffix /server.mk,$(server_directories)))
SERVERS  := $(foreach each,$(SERVERS),$(if $($(each)_ABSENT),,$(each)))
programs := $(addprefix $(BUILD)/,$(SERVERS))

# A word for the shell, whatever it holds; and each word of several.
quoted      = '$(subst ','\'',$(1))'
quoted_each = $(foreach each,$(1),$(call quoted,$(each)))

# The tests read in $(BUILD)/skipped which servers are not here, and why.
all: $(programs) $(test_programs)
	@: > $(BUILD)/skipped
	@$(foreach each,$(filter-out $(SERVERS),$(all_servers)),\
	    echo 'skipped: $(each) ($(or $($(each)_ABSENT),needs Linux))' | tee -a $(BUILD)/skipped;)
	@$(foreach each,$(SERVERS),$(if $($(each)_NOTE),echo '$(each): $($(each)_NOTE)';))

# Objects depend on this file: it is written anew when the compiler or a flag has changed, and only then. A make that
# builds nothing leaves it alone, whatever its flags.
flags_now := $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) \
             $(foreach each,$(SERVERS),$($(each)_CFLAGS) $($(each)_LDLIBS)) $(KQUEUE)
quoted_flags = $(call quoted,$(flags_now))
$(BUILD)/flags: FORCE
	@printf '%s\n' $(quoted_flags) | cmp -s - $@ || { \
	    { echo '#include <stdio.h>' | $(CC) -x c -E - >/dev/null 2>&1 || CC='$(CC)' harness/require cc; } && \
	    mkdir -p $(BUILD) && printf '%s\n' $(quoted_flags) > $@; }
FORCE:

# make test SERVER=...: one of the list by its name, or anybody's, by its path; what a stranger's directory holds is
# built here. docs/adding-a-server.md says what may be there.
stranger := $(filter-out $(all_servers),$(patsubst %/,%,$(SERVER)))
ifneq ($(wildcard $(stranger)/server.c),)
ifeq ($(wildcard $(stranger)/Makefile),)
stranger_program := $(BUILD)/stranger/$(notdir $(stranger))
-include $(stranger)/server.mk
endif
endif

# make says of a program that it is up to date, but not of what a target needs.
built: $(BUILT)
	@:

# A server is the objects of its directory and what it takes from the archive: an object there is linked only where
# somebody asks for a function of it that nobody else has.
# $(1): its name, $(2): its directory, $(3): where its objects go, $(4): what is built.
define server_rules
$(3)/%.o: $(2)/%.c $$(BUILD)/flags
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(ALL_CFLAGS) $$($(1)_CFLAGS) -MMD -MP -c -o $$@ $$<
$(4): LDLIBS += $$($(1)_LDLIBS)
$(4): $$(patsubst $(2)/%.c,$(3)/%.o,$$(sort $$(wildcard $(2)/*.c) $$($(1)_SOURCES))) $$(BUILD)/libcommon.a
	@mkdir -p $$(@D)
	$$(link)
endef
$(foreach each,$(server_list),$(eval $(call server_rules,$(call field,1,$(each)),$(call field,2,$(each)),\
    $(BUILD)/obj/$(call field,1,$(each)),$(BUILD)/$(call field,1,$(each)))))

# -Icommon: "../common/loop.h" is found from wherever the directory is. A stranger's warnings are warnings.
ifdef stranger_program
$(BUILD)/obj/stranger/%.o: ALL_CFLAGS := $(filter-out -Werror,$(ALL_CFLAGS)) -Icommon
$(eval $(call server_rules,$(notdir $(stranger)),$(stranger),$(BUILD)/obj/stranger/$(notdir $(stranger)),$(stranger_program)))
endif

# Written anew: ar would keep the object of a file that is gone.
$(BUILD)/libcommon.a: $(common_objects)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

include harness/loadgen/loadgen.mk
include harness/microbench/microbench.mk
include harness/bench/bench.mk
include harness/guest/guest.mk
include harness/million/million.mk
include harness/faults/faults.mk
include harness/fuzz/fuzz.mk
include harness/mutants/mutants.mk
include harness/coverage.mk
include harness/soak/soak.mk
include harness/tracing/tracing.mk
include labs/labs.mk

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# The protocol's tests, and beside each tool its own.
tests := harness/conformance $(wildcard harness/tests harness/*/tests kqueue_srv/emulation/tests beyond/*/tests \
    docs/site/tests labs/tests)

test-deps:
	@harness/require cc pytest hypothesis $(if $(SERVER),,numpy jinja2 gnuplot patch pygments markdown jsonschema) \
	    --optional $(if $(SERVER),,sanitizers liburing libssl openssl http_parser curl h2load nc wrk bwrap xmllint) strace valgrind ip pytest-timeout

# Builds what the directory of a stranger holds.
stranger:
	@$(if $(stranger_program),$(MAKE) --no-print-directory built BUILT=$(stranger_program),:)
	@$(if $(wildcard $(stranger)/Makefile),$(MAKE) -C $(stranger),:)

test: test-deps
ifneq ($(stranger),)
	@$(MAKE) --no-print-directory stranger
else
	@$(MAKE) --no-print-directory $(if $(SERVER),built BUILT=$(BUILD)/$(SERVER),all)
ifeq ($(SYSTEM):$(SANITIZE),Linux:)
	@$(if $(can_sanitize),$(MAKE) --no-print-directory faults-servers,\
	    echo 'skipped: servers with faults ($(CC) has no AddressSanitizer here)')
endif
endif
	@BUILD_DIR=$(BUILD) SERVER=$(call quoted,$(SERVER)) harness/pytest $(if $(SERVER),harness/conformance,$(tests)) $(ARGS)

# What runs programs of this build: not the tests of the site and of the labs, which build their own, nor of the benchmarks.
# pytest(1) does not ignore a directory that it is given by name.
tests_of_programs := $(filter-out docs/site/tests labs/tests,$(tests)) --ignore-glob='*test_bench_*'

# Sanitizer builds live in directories of their own: switching costs nothing.
test-asan:
	@$(MAKE) --no-print-directory test BUILD=$(BUILD)/asan SANITIZE=address,undefined tests="$(tests_of_programs)"

compare:
	@harness/show compare $(call quoted,$(A)) $(call quoted,$(B))

read:
	@harness/show read $(call quoted,$(S))

site:
	@harness/require pytest jinja2 pygments markdown
	@docs/site/build $(call quoted,$(BUILD)/site)

compile_commands.json:
	@$(MAKE) --no-print-directory -Bn all $(BUILD)/loadgen_steps $(faults_objects) | \
	    harness/compile-commands > $@.new && mv $@.new $@

include harness/lint.mk

installed := $(programs) $(BUILD)/loadgen
bin        = $(call quoted,$(DESTDIR)$(PREFIX)/bin)
install: $(installed)
	install -d $(bin)
	install -m 755 $(installed) $(bin)

uninstall:
	rm -f $(addprefix $(bin)/,$(notdir $(installed)))

clean:
	rm -rf $(BUILD)
