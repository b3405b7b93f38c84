epoll_oneshot_CFLAGS := -pthread
epoll_oneshot_LDLIBS := -pthread
