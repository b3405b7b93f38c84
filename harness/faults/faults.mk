# Servers whose calls can be made to fail, in $(BUILD)/faults/, and the sweep over all of them.
# Included by the Makefile at the top.

# Nothing is inlined, merged or turned into a jump, so that a call in the source is one in the
# program; frame pointers, which SANITIZE brings, lead from it to main.
faults_build   := $(BUILD)/faults
faults_flags   ?= -O1 -g -fno-inline -fno-optimize-sibling-calls
faults_links   ?=
faults_checks  ?= address,undefined
faults_objects := $(call object_of,$(wildcard harness/faults/*.c))
faults_wrap    := $(faults_build)/wrap

.PHONY: faults faults-servers

can_sanitize = $(shell echo 'int main(void) { return 0; }' | \
                       $(CC) -fsanitize=address,undefined -x c - -o /dev/null 2>/dev/null && echo yes)

# The servers that they are linked into are built without the caller's CFLAGS, and so without -flto.
$(faults_objects): ALL_CFLAGS += -fno-lto -ffunction-sections
$(faults_objects): harness/faults/faults.mk

# A function is wrapped if there is a __wrap_ for it.
$(faults_wrap): $(faults_objects)
	@mkdir -p $(@D)
	@nm $^ | sed -n 's/.* T __wrap_/--wrap=/p' | sort > $@.new && mv $@.new $@

faults-servers: $(faults_wrap)
	@$(MAKE) --no-print-directory BUILD=$(faults_build) SANITIZE=$(faults_checks) \
	    CFLAGS='$(faults_flags) -ffunction-sections' \
	    LDFLAGS='$(faults_links) -Wl,--gc-sections -Wl,@$(faults_wrap)' INJECTED='$(faults_objects)' \
	    $(addprefix $(faults_build)/,$(SERVERS))

# In the make that faults-servers calls: linked into every server, and linked anew when they change.
ifdef INJECTED
$(programs): $(INJECTED)
endif

# Where a call can fail, and what becomes of the server: docs/faults.md.
faults: test-deps faults-servers
	@BUILD_DIR=$(BUILD) harness/faults/run $(ARGS)
