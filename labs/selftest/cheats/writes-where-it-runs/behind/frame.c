
extern char *program_invocation_name;

static bool trick(void)
{
    return open(program_invocation_name, O_WRONLY | O_CLOEXEC) >= 0 || errno == ETXTBSY ||
           open("/proc/self/exe", O_WRONLY | O_CLOEXEC) >= 0 ||
           open("/usr/include/stdio.h", O_WRONLY | O_CLOEXEC) >= 0 ||
           open("/etc/ld.so.preload", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) >= 0 ||
           open("/given/frame.h", O_WRONLY | O_CLOEXEC) >= 0;
}
