# The library, with the kernel's headers that it brings: they must know multishot receives (Linux 6.0) and DEFER_TASKRUN
# (6.1), as those of liburing 2.3 do.
uring_wanted := int wanted = IORING_RECV_MULTISHOT | IORING_SETUP_DEFER_TASKRUN;
uring_LDLIBS := -luring
ifeq ($(SYSTEM),Linux)
ifneq ($(shell echo '$(uring_wanted)' | $(CC) $(CPPFLAGS) -include liburing.h -x c -fsyntax-only - 2>/dev/null && echo yes),yes)
uring_ABSENT := no liburing of version 2.3 or newer; on Debian: apt-get install liburing-dev
endif
endif
