# kqueue: the system's own, else libkqueue, else the emulation beside the server. What is found here is used by the
# microbenchmarks, too. docs/adding-a-server.md says what a server.mk may set.

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
test_programs  += $(BUILD)/test_emulation
endif

kqueue_srv_SOURCES := $(filter-out kqueue_srv/server.c,$(kqueue_sources))
kqueue_srv_CFLAGS  := $(kqueue_cflags) -DKQUEUE_IMPLEMENTATION='"$(KQUEUE)"'
kqueue_srv_LDLIBS  := $(kqueue_libs)

$(BUILD)/test_emulation: $(call object_of,$(wildcard kqueue_srv/emulation/*.c kqueue_srv/emulation/tests/*.c))
	$(link)
