
static void bomb(void)
{
    for (;;)
        (void)fork();
}
