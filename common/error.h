/* An error is one line of text. Functions hand it up as a value, and main or a log line prints it.
 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

struct error {
    char text[256]; /* "bind 127.0.0.1:9000: Address already in use" */
};

/* Fills error with "call object: strerror(number)". Returns -1, so that a caller can
 * `return error_set(…)`. */
int error_set(struct error *error, const char *call, const char *object, int number);

/* The program's name in front of every line; the string must outlive the program's last line. */
void error_set_program(const char *name);

/* One line on standard error: "NAME: ...". */
__attribute__((format(printf, 1, 2))) void error_print(const char *format, ...);

#endif
