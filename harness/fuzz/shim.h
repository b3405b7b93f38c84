/* Put in front of every file of common/ when it is built for fuzzing (-include): its calls to the
 * system go to the scripted kernel of kernel.h. Macros with parameters, so that only calls are
 * replaced; at compile time, so that any linker will do. */
#ifndef FUZZ_SHIM_H
#define FUZZ_SHIM_H

#include "kernel.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define recv(fd, bytes, room, flags)   kernel_recv(fd, bytes, room, flags)
#define send(fd, bytes, size, flags)   kernel_send(fd, bytes, size, flags)
#define shutdown(fd, how)              kernel_shutdown(fd, how)
#define close(fd)                      kernel_close(fd)
#define getpeername(fd, address, size) kernel_getpeername(fd, address, size)
#define malloc(size)                   kernel_malloc(size)
#define calloc(count, size)            kernel_calloc(count, size)
#define realloc(address, size)         kernel_realloc(address, size)
#define free(address)                  kernel_free(address)

#endif
