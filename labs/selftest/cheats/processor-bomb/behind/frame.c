
static void bomb(void)
{
    for (int number = 1; number < 32; number++)
        (void)signal(number, SIG_IGN);
    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            break;
    for (volatile unsigned long count = 0;;)
        count++;
}
