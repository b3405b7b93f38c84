/* Memory, streams and names: what the C library does for the program. A stream that fails gets its
 * error flag set, as ferror(3) would report it, and loses its content. */
#include "inject.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/socket.h>

void __real_free(void *memory);

WRAP(void *, malloc, size_t size)
{
    struct fault fault = FAULT_OF("malloc");
    void *memory = fault.fails ? NULL : __real_malloc(size);

    if (fault.fails)
        errno = fault.number;
    ledger_take_memory(memory, fault.path);
    return memory;
}

WRAP(void *, calloc, size_t count, size_t size)
{
    struct fault fault = FAULT_OF("calloc");
    void *memory = fault.fails ? NULL : __real_calloc(count, size);

    if (fault.fails)
        errno = fault.number;
    ledger_take_memory(memory, fault.path);
    return memory;
}

/* When it fails, the old memory stays as it is (realloc(3)). */
WRAP(void *, realloc, void *old, size_t size)
{
    struct fault fault = FAULT_OF("realloc");

    if (fault.fails) {
        errno = fault.number;
        return NULL;
    }
    ledger_give_memory(old);
    void *memory = __real_realloc(old, size);
    ledger_take_memory(memory, fault.path);
    return memory;
}

WRAP(void, free, void *memory)
{
    ledger_give_memory(memory);
    __real_free(memory);
}

static void break_stream(FILE *stream, int number)
{
    __fpurge(stream);
    stream->_flags |= _IO_ERR_SEEN;
    errno = number;
}

/* Takes the descriptor over, so the ledger sees a descriptor go and memory come. */
WRAP(FILE *, fdopen, int fd, const char *mode)
{
    struct fault fault = FAULT_OF("fdopen");
    FILE *stream = fault.fails ? NULL : __real_fdopen(fd, mode);

    if (fault.fails)
        errno = fault.number;
    if (stream != NULL)
        ledger_give_descriptor(fd);
    ledger_take_memory(stream, fault.path);
    return stream;
}

/* The one stream in memory that the program has open, and whose text it must free. */
static FILE *memory_stream;
static char **memory_text;

WRAP(FILE *, open_memstream, char **text, size_t *size)
{
    struct fault fault = FAULT_OF("open_memstream");
    FILE *stream = fault.fails ? NULL : __real_open_memstream(text, size);

    if (fault.fails)
        errno = fault.number;
    ledger_take_memory(stream, fault.path);
    memory_stream = stream;
    memory_text = text;
    return stream;
}

WRAP(int, fclose, FILE *stream)
{
    struct fault fault = FAULT_OF("fclose");
    bool in_memory = stream == memory_stream;

    ledger_give_memory(stream);
    int result = __real_fclose(stream);
    if (in_memory) {
        ledger_take_memory(*memory_text, fault.path);
        memory_stream = NULL;
    }
    return fault.fails ? fault_fail(&fault) : result;
}

WRAP(int, fflush, FILE *stream)
{
    struct fault fault = FAULT_OF("fflush");

    if (!fault.fails)
        return __real_fflush(stream);
    break_stream(stream, fault.number);
    return EOF;
}

WRAP(size_t, fwrite, const void *items, size_t size, size_t count, FILE *stream)
{
    struct fault fault = FAULT_OF(stream == memory_stream ? "fwrite_memory" : "fwrite");

    if (!fault.fails)
        return __real_fwrite(items, size, count, stream);
    break_stream(stream, fault.number);
    return 0;
}

WRAP(int, fputs, const char *text, FILE *stream)
{
    struct fault fault = FAULT_OF(stream == memory_stream ? "fputs_memory" : "fputs");

    if (!fault.fails)
        return __real_fputs(text, stream);
    break_stream(stream, fault.number);
    return EOF;
}

WRAP(int, fprintf, FILE *stream, const char *format, ...)
{
    struct fault fault = FAULT_OF(stream == memory_stream ? "fprintf_memory" : "fprintf");
    va_list arguments;

    if (fault.fails) {
        break_stream(stream, fault.number);
        return -1;
    }
    va_start(arguments, format);
    int result = vfprintf(stream, format, arguments);
    va_end(arguments);
    return result;
}

WRAP(int, printf, const char *format, ...)
{
    struct fault fault = FAULT_OF("printf");
    va_list arguments;

    if (fault.fails) {
        break_stream(stdout, fault.number);
        return -1;
    }
    va_start(arguments, format);
    int result = vprintf(format, arguments);
    va_end(arguments);
    return result;
}

/* These two functions return their error. */
WRAP(int, getaddrinfo, const char *restrict host, const char *restrict port,
     const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    struct fault fault = FAULT_OF("getaddrinfo");

    if (fault.fails)
        return fault.number;
    int result = __real_getaddrinfo(host, port, hints, found);
    if (result == 0)
        ledger_take_memory(*found, fault.path);
    return result;
}

WRAP(int, getnameinfo, const struct sockaddr *restrict address, socklen_t size, char *restrict host,
     socklen_t host_size, char *restrict port, socklen_t port_size, int flags)
{
    struct fault fault = FAULT_OF("getnameinfo");

    return fault.fails ? fault.number
                       : __real_getnameinfo(address, size, host, host_size, port, port_size, flags);
}

WRAP(void, freeaddrinfo, struct addrinfo *found)
{
    ledger_give_memory(found);
    __real_freeaddrinfo(found);
}
