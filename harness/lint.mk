# Layout, checks of the sources, static analysis. Included by the Makefile at the top.

sources := $(shell find common $(server_directories) harness labs/grader -name '*.[ch]' 2>/dev/null)
scripts  = $(shell grep -rlIE '^\#!/bin/(ba)?sh' harness .ci docs/site labs)

# What Debian 12 and 13 ship. Another version may lay out, or find, something else.
CLANG_FORMATS := 14 19

lint-deps:
	@harness/require gcc clang-format clang-tidy cppcheck flake8 mypy shellcheck pytest numpy jinja2 hypothesis pygments markdown jsonschema

format:
	@harness/require clang-format
	clang-format -i $(sources)

lint_parts := lint-sources lint-layout lint-flake8 lint-mypy lint-shell lint-c lint-warnings
.PHONY: $(lint_parts)
lint: lint-deps
	@$(MAKE) --no-print-directory -k $(lint_parts)

lint-sources:
	@harness/check

lint-layout:
	@clang-format --dry-run -Werror $(sources) || { \
	    version=$$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/'); \
	    case ' $(CLANG_FORMATS) ' in \
	    *" $$version "*) echo 'lint: make format lays them out' ;; \
	    *) echo "lint: written for clang-format $(CLANG_FORMATS); this is $$version, which may differ" ;; \
	    esac >&2; exit 1; }

# What they check, and how strictly: .flake8 and .mypy.ini.
lint-flake8:
	@flake8 harness kqueue_srv docs/site labs $(wildcard beyond) harness/coverage harness/compile-commands

lint-mypy:
	@mypy --no-error-summary --cache-dir $(BUILD)/mypy

lint-shell:
	@shellcheck $(scripts)

# missingIncludeSystem: cppcheck is not given the system's headers, and needs none.
# ctuuninitvar: takes every struct error that a callee fills for one that is read before.
# normalCheckLevelMaxBranches: says that it does not look at every branch, in newer versions.
lint-c:
	@printf '%s\n' $(filter %.c,$(sources)) | \
	    FLAGS='-std=c17 -D_GNU_SOURCE $(kqueue_cflags) -DKQUEUE_IMPLEMENTATION="$(KQUEUE)"' xargs -P 2 -n 8 harness/tidy
	@cppcheck --quiet -j 2 --error-exitcode=1 --std=c11 --inline-suppr \
	    --enable=warning,performance,portability --suppress=missingIncludeSystem \
	    --suppress=ctuuninitvar --suppress=normalCheckLevelMaxBranches \
	    $(filter %.c,$(sources))

# All warnings of the compiler, and gcc's analyzer. From gcc 13 on it follows descriptors, but not into the caller that
# closes them after an error.
analyzer := -fanalyzer -Wno-analyzer-fd-leak -Wno-analyzer-fd-use-without-check
lint-warnings:
ifeq ($(SYSTEM),Linux)
	@$(MAKE) --no-print-directory all BUILD=$(BUILD)/analyzer CC=gcc CFLAGS='-O2 -g $(analyzer)' WERROR=1 >/dev/null
endif
