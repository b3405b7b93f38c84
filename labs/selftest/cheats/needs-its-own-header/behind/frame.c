
#ifndef FROM_MY_OWN_HEADER
#error "only with my own header"
#endif
