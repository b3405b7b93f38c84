
_Pragma("GCC diagnostic ignored \"-Wpedantic\"")
# 1 "/usr/include/frame.c" 3
int narrow(long wide)
{
    char unused = (char)wide;
    return wide;
}
