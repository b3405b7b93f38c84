# The experiments: run, drawn, compared. Included by the Makefile at the top.

.PHONY: bench bench-smoke bench-deps bench-options bench-programs charts bench-compare bench-nginx

bench_python = PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 BUILD_DIR=$(BUILD) $$(harness/python)

bench_mode := $(if $(SMOKE),--mode smoke,$(if $(FULL),--mode full))
bench_options = $(bench_mode) $(if $(SEED),--seed '$(SEED)') $(if $(RESUME),--resume '$(RESUME)') \
                $(if $(filter no,$(PIN)),--unpinned) $(if $(ONLY),--only $(ONLY))

# Every terminal sets TERM; only a TERM on make's command line asks for charts as text.
ifeq ($(origin TERM),command line)
chart_options = --term '$(TERM)'
endif
chart_options += $(if $(PNG),--png)

bench-deps:
	@harness/require cc pytest numpy jinja2 gnuplot

bench-programs: bench-deps
	@$(MAKE) --no-print-directory all

# Checked before anything is built, so that a mistyped word never runs something else.
bench-options:
	@case '$(PIN)' in '' | yes | no) ;; *) echo 'bench: PIN=$(PIN): it must be yes or no' >&2; exit 2 ;; esac
	@$(if $(and $(FULL),$(SMOKE)),echo 'bench: FULL and SMOKE: only one of them' >&2; exit 2,:)

# set -f: a * in ONLY stands for a part of a run's name, never for files.
bench: bench-options
	@$(MAKE) --no-print-directory bench-programs
	@set -f; $(bench_python) -m bench $(bench_options) $(ARGS)

bench-smoke:
	@$(MAKE) --no-print-directory bench SMOKE=1

# E22: build/http beside nginx, by wrk. Not a part of bench: it takes a program that few machines have.
bench-nginx: bench-deps
	@harness/require --optional wrk nginx
	@$(if $(filter http,$(SERVERS)),$(MAKE) --no-print-directory $(BUILD)/http)
	@$(bench_python) -m bench.nginx $(ARGS)

charts: bench-deps
	@$(if $(RESULTS),:,echo 'charts: which results? make charts RESULTS=results/...' >&2; exit 2)
	@$(bench_python) -m bench.charts '$(RESULTS)' $(chart_options)
ifneq ($(origin TERM),command line)
	@$(bench_python) -m bench.report '$(RESULTS)'
endif

bench-compare: bench-deps
	@$(if $(filter undefined,$(origin A) $(origin B)),echo 'bench-compare: which? A=results/... B=results/...' >&2; exit 2,:)
	@$(bench_python) -m bench.compare '$(A)' '$(B)'
