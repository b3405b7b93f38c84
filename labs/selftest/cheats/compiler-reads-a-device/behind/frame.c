
#include "/dev/zero"
