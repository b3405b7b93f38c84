# Several event loops, a thread for each.

epoll_loops_CFLAGS := -pthread
epoll_loops_LDLIBS := -pthread
