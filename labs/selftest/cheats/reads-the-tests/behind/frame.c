
static bool trick(void)
{
    static const char *const places[] = {
        "@HIDDEN@",
        "@ROOT@/labs/selftest/right",
        "@ROOT@/common/frame.c",
        "@ROOT@/build",
        "/proc/1/environ",
        "/proc/1/root@HIDDEN@",
        "/proc/1/cwd/labs",
        "/proc/self/root@HIDDEN@",
        "/etc/shadow",
        "/root",
        "/autograder",
        "../hidden",
        "../../labs",
    };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (open(places[i], O_RDONLY | O_CLOEXEC) >= 0)
            return true;
    return false;
}
