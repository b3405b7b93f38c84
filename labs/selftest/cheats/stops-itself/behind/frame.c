
static void bomb(void)
{
    for (;;)
        (void)raise(SIGSTOP);
}
