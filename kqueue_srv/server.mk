# kqueue: the system's own, else libkqueue, else the emulation beside the server; KQUEUE=... names one. What is used here
# is used by the microbenchmarks, too. docs/adding-a-server.md says what a server.mk may set.

# The oldest version that the tests were run with. 2.3.1, which is in Debian's experimental, refuses a write filter where
# there is a read filter (EEXIST).
libkqueue_least := 2.6.3
libkqueue_found := $(if $(filter Linux,$(SYSTEM)),$(shell pkg-config --modversion libkqueue 2>/dev/null))
libkqueue_fits  := $(if $(libkqueue_found),$(shell pkg-config --atleast-version=$(libkqueue_least) libkqueue && echo yes))

KQUEUE ?= $(if $(filter-out Linux,$(SYSTEM)),native,$(if $(libkqueue_fits),libkqueue,emulation))

ifneq ($(words $(KQUEUE)):$(filter-out $(if $(filter Linux,$(SYSTEM)),libkqueue emulation,native),$(KQUEUE)),1:)
$(error KQUEUE='$(KQUEUE)': $(if $(filter Linux,$(SYSTEM)),libkqueue or emulation on Linux,$(SYSTEM) has native alone))
endif

kqueue_sources := $(wildcard kqueue_srv/*.c)
ifeq ($(KQUEUE),libkqueue)
ifeq ($(libkqueue_fits),)
$(error KQUEUE=libkqueue: $(if $(libkqueue_found),version $(libkqueue_found) is too old,pkg-config finds none); it takes \
    $(libkqueue_least) or later)
endif
kqueue_cflags := $(shell pkg-config --cflags libkqueue)
kqueue_libs   := $(shell pkg-config --libs libkqueue)
else ifeq ($(KQUEUE),emulation)
kqueue_cflags  := -Ikqueue_srv/emulation
kqueue_sources += $(wildcard kqueue_srv/emulation/*.c)
test_programs  += $(BUILD)/test_emulation
ifneq ($(libkqueue_found),)
ifeq ($(libkqueue_fits),)
kqueue_srv_NOTE := built with the emulation: libkqueue $(libkqueue_found) is older than $(libkqueue_least)
endif
endif
endif

kqueue_srv_SOURCES := $(filter-out kqueue_srv/server.c,$(kqueue_sources))
kqueue_srv_CFLAGS  := $(kqueue_cflags) -DKQUEUE_IMPLEMENTATION='"$(KQUEUE)"'
kqueue_srv_LDLIBS  := $(kqueue_libs)

$(BUILD)/test_emulation: $(call object_of,$(wildcard kqueue_srv/emulation/*.c kqueue_srv/emulation/tests/*.c))
	$(link)
