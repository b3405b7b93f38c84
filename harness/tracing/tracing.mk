# The system calls of the servers on the same peers, side by side. Included by the Makefile at the top.

.PHONY: trace trace-accept

trace_python = BUILD_DIR=$(BUILD) PYTHONPATH=harness PYTHONDONTWRITEBYTECODE=1 $$(harness/python) -m tracing
trace_words  = $(call quoted_each,$(SCRIPT)) $(if $(S),--servers $(call quoted_each,$(S))) $(if $(BUG),--bug $(call quoted,$(BUG))) $(ARGS)

# BUG=timer-restarted: the same with a planted bug, beside it.
# DIR=path/to/my_srv: a stranger's server beside them; docs/adding-a-server.md says what may be there.
trace:
	@harness/require cc pytest strace
	@$(MAKE) --no-print-directory all >/dev/null
	@$(if $(DIR),$(MAKE) --no-print-directory stranger SERVER=$(call quoted,$(DIR)) >/dev/null)
	@SERVER=$(call quoted,$(DIR)) $(trace_python) $(trace_words)

# After a change of the calls that was meant. SCRIPT=one-echo: of that script; BUG=timer-restarted: with that planted bug;
# neither: all, which builds every server with a bug whose trace is kept. S=my_srv: nobody else's.
trace-accept:
	@$(if $(DIR),echo 'trace-accept: DIR=: the traces that are kept are of servers of harness/servers.toml' >&2; exit 2)
	@harness/require cc patch pytest strace
	@$(MAKE) --no-print-directory all >/dev/null
	@$(trace_python) --accept $(trace_words)
