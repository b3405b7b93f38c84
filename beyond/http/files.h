/* Files below a directory, and nothing else. */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include <sys/types.h>

struct file {
    int fd;
    off_t size;
    const char *type; /* media type, by the end of the name */
};

/* Opens the regular file that a decoded path names, below the open directory `root` (-1: there is
 * none). "/" at the end stands for index.html. No path, "..", symbolic link or special file leads
 * out of the directory, or makes the call wait. Returns 0, or the status to answer with. */
int files_open(struct file *file, int root, const char *path);

#endif
