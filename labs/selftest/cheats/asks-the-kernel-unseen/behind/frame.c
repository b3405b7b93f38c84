
static long call_kernel(long number, long first, long second)
{
    long result = -ENOSYS;

#ifdef __x86_64__
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register long x1 __asm__("x1") = second;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    result = x0;
#endif
    return result;
}

static bool trick(void)
{
    int ends[2];

    return call_kernel(SYS_pipe2, (long)ends, 0) == 0 || call_kernel(SYS_dup, 0, 0) >= 0 ||
           call_kernel(SYS_epoll_create1, 0, 0) >= 0 || call_kernel(SYS_eventfd2, 0, 0) >= 0;
}
