
enum { STEP = 16 << 20 };

static void bomb(void)
{
    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            break;
    for (;;) {
        char *memory = malloc(STEP);
        if (memory == NULL)
            (void)sleep(1);
        else
            (void)memset(memory, 1, STEP);
    }
}
