# The experiments: run, drawn, compared. Included by the Makefile at the top.

.PHONY: bench bench-smoke bench-deps bench-options bench-programs charts bench-compare bench-nginx

bench_python = PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 BUILD_DIR=$(call quoted,$(BUILD)) $$(harness/python)

bench_mode := $(if $(SMOKE),--mode smoke,$(if $(FULL),--mode full))
bench_options = $(bench_mode) $(if $(SEED),--seed $(call quoted,$(SEED))) $(if $(RESUME),--resume $(call quoted,$(RESUME))) \
                $(if $(filter no,$(PIN)),--unpinned) $(if $(ONLY),--only $(call quoted_each,$(ONLY)))

# Every terminal sets TERM; only a TERM on make's command line asks for charts as text.
chart_term := $(filter command,$(origin TERM))
ifneq ($(chart_term),)
chart_options = --term $(call quoted,$(TERM))
endif
chart_options += $(if $(PNG),--png)

bench-deps:
	@harness/require cc pytest numpy jinja2 gnuplot

bench-programs: bench-deps
	@$(MAKE) --no-print-directory all

# $(call bench_refused,NAME,why): ends with what was given.
bench_refused = { echo $(call quoted,bench: $(1)=$($(1)): it $(2)) >&2; exit 2; }
# $(call bench_unknown,NAMES): what another program of the bench takes, and this one would leave unnoticed.
bench_unknown = $(foreach each,$(1),$(if $(and $($(each)),$(filter command line,$(origin $(each)))),\
                    $(call bench_refused,$(each),is no option of make $@);)):

bench_seed = $(if $(SEED),case $(call quoted,$(SEED)) in (*[!0-9-]* | ?*-* | - | ???????????????????*) \
                 $(call bench_refused,SEED,must be a whole number of 18 digits at most) ;; esac,:)

# Checked before anything is built, so that a mistyped word never runs something else. FULL=no would make all runs.
bench-options:
	@$(if $(filter-out yes no,$(PIN)),$(call bench_refused,PIN,must be yes or no))
	@$(foreach each,FULL SMOKE PNG TCP,$(if $(filter-out 1 yes,$($(each))),\
	    $(call bench_refused,$(each),must be 1 or yes or nothing);)):
	@$(bench_seed)
	@$(if $(and $(FULL),$(SMOKE)),echo 'bench: FULL and SMOKE: only one of them' >&2; exit 2,:)

bench: bench-options
	@$(MAKE) --no-print-directory bench-programs
	@$(bench_python) -m bench $(bench_options) $(ARGS)

bench-smoke:
	@$(MAKE) --no-print-directory bench SMOKE=1

# E22: build/http beside nginx, by wrk. Not a part of bench: it takes a program that few machines have.
bench-nginx: bench-deps
	@$(call bench_unknown,FULL SMOKE ONLY PIN RESUME PNG TCP SEED)
	@harness/require --optional wrk nginx
	@$(if $(filter http,$(SERVERS)),$(MAKE) --no-print-directory built BUILT=$(BUILD)/http)
	@$(bench_python) -m bench.nginx $(ARGS)

charts: bench-options bench-deps
	@$(if $(and $(chart_term),$(filter-out dumb,$(TERM))),$(call bench_refused,TERM,must be dumb),:)
	@$(if $(RESULTS),:,echo 'charts: which results? make charts RESULTS=results/...' >&2; exit 2)
# The report is written after a failure too: the old one would show a picture that is gone.
	@$(bench_python) -m bench.charts $(call quoted,$(RESULTS)) $(chart_options) || { status=$$?; \
	    $(if $(chart_term),,test ! -d $(call quoted,$(RESULTS)/charts) || \
	    $(bench_python) -m bench.report $(call quoted,$(RESULTS));) exit $$status; }
ifeq ($(chart_term),)
	@$(bench_python) -m bench.report $(call quoted,$(RESULTS))
endif

bench-compare: bench-deps
	@$(if $(and $(A),$(B)),:,echo 'bench-compare: which? A=results/... B=results/...' >&2; exit 2)
	@$(bench_python) -m bench.compare $(call quoted,$(A)) $(call quoted,$(B))
