/* OpenSSL: what it makes for the program, and what the program has it do. A call that fails leaves
 * its reason in OpenSSL's error queue, as ERR_get_error(3) says; here it is a lack of memory. Each
 * session, context and BIO stands in the ledger until the program gives it back or away.
 *
 * OpenSSL has no frame pointers. When it calls the program to send or receive, the walk to main
 * goes on at the call that the program made into it: fault_through says where that was. The symbols
 * are weak, because only one of the servers has them. */
#if __has_include(<openssl/ssl.h>)
#include "inject.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#pragma weak ERR_new
#pragma weak ERR_set_debug
#pragma weak ERR_set_error

static void no_memory(void)
{
    ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
}

/* A call that fails with this result. */
#define CAN_FAIL(type, failure, name, parameters, arguments)                                       \
    type __real_##name parameters __attribute__((weak));                                           \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        struct fault fault = FAULT_OF(#name);                                                      \
        if (fault.fails) {                                                                         \
            no_memory();                                                                           \
            return failure;                                                                        \
        }                                                                                          \
        fault_through = __builtin_frame_address(0);                                                \
        type result = __real_##name arguments;                                                     \
        fault_through = NULL;                                                                      \
        return result;                                                                             \
    }

CAN_FAIL(int, 0, SSL_CTX_set_ciphersuites, (SSL_CTX * context, const char *names), (context, names))
CAN_FAIL(int, 0, SSL_CTX_set_cipher_list, (SSL_CTX * context, const char *names), (context, names))
CAN_FAIL(int, 0, SSL_CTX_use_certificate_chain_file, (SSL_CTX * context, const char *file),
         (context, file))
CAN_FAIL(int, 0, SSL_CTX_use_PrivateKey_file, (SSL_CTX * context, const char *file, int type),
         (context, file, type))
CAN_FAIL(int, 0, SSL_CTX_check_private_key, (const SSL_CTX *context), (context))
CAN_FAIL(BIO_METHOD *, NULL, BIO_meth_new, (int type, const char *name), (type, name))
CAN_FAIL(int, 0, SSL_read_ex, (SSL * session, void *bytes, size_t size, size_t *count),
         (session, bytes, size, count))
CAN_FAIL(int, 0, SSL_write_ex, (SSL * session, const void *bytes, size_t size, size_t *count),
         (session, bytes, size, count))
CAN_FAIL(int, -1, SSL_shutdown, (SSL * session), (session))

/* One that makes a thing, which the ledger holds then. A type cannot stand in parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define MAKES(type, name, parameters, arguments)                                                   \
    type *__real_##name parameters __attribute__((weak));                                          \
    type *__wrap_##name parameters;                                                                \
    type *__wrap_##name parameters                                                                 \
    {                                                                                              \
        struct fault fault = FAULT_OF(#name);                                                      \
        if (fault.fails) {                                                                         \
            no_memory();                                                                           \
            return NULL;                                                                           \
        }                                                                                          \
        type *made = __real_##name arguments;                                                      \
        ledger_take_memory(made, fault.path);                                                      \
        return made;                                                                               \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

MAKES(SSL_CTX, SSL_CTX_new, (const SSL_METHOD *method), (method))
MAKES(SSL, SSL_new, (SSL_CTX * context), (context))
MAKES(BIO, BIO_new, (const BIO_METHOD *method), (method))

void __real_SSL_CTX_free(SSL_CTX *context) __attribute__((weak));
void __real_SSL_free(SSL *session) __attribute__((weak));
void __real_SSL_set_bio(SSL *session, BIO *from, BIO *to) __attribute__((weak));

WRAP(void, SSL_CTX_free, SSL_CTX *context)
{
    ledger_give_memory(context);
    __real_SSL_CTX_free(context);
}

WRAP(void, SSL_free, SSL *session)
{
    ledger_give_memory(session);
    __real_SSL_free(session);
}

/* The BIO is the session's from now on (SSL_set_bio(3)). */
WRAP(void, SSL_set_bio, SSL *session, BIO *from, BIO *to)
{
    ledger_give_memory(from);
    __real_SSL_set_bio(session, from, to);
}

#else

/* A file without a declaration is not valid C (C17, 6.9). */
extern int sessions_need_openssl;

#endif
