
static char words[65536];

static void bomb(void)
{
    (void)memset(words, 'P', sizeof words);
    int fd = fork() == 0 ? STDERR_FILENO : STDOUT_FILENO;
    while (write(fd, words, sizeof words) > 0)
        continue;
}
