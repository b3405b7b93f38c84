
#ifndef ONCE
#define ONCE
#endif
#include __FILE__
#include __FILE__
