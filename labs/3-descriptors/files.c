#include "model.h"

struct file *file_new(struct model *model, enum file_kind kind)
{
    for (size_t i = 0; i < OPEN_FILES; i++)
        if (model->files[i].kind == FILE_FREE) {
            model->files[i] = (struct file){.kind = kind};
            return &model->files[i];
        }
    return NULL;
}

/* pipe(7). A read end whose writers are gone reports a hang-up, beside the bytes that still wait. A
 * write end whose readers are gone reports an error, beside the room that there is. */
unsigned file_readiness(const struct file *file)
{
    switch (file->kind) {
    case FILE_READ_END:
        return (file->bytes > 0 ? READY_IN : 0U) | (file->other == NULL ? READY_HUP : 0U);
    case FILE_WRITE_END:
        return READY_OUT | (file->other == NULL ? READY_ERR : 0U);
    case FILE_NULL:
    case FILE_EPOLL:
    case FILE_FREE:
        break;
    }
    return 0;
}

/* Linux wakes those who sleep on either end of a pipe when one end is closed for good, and names no
 * event: every entry goes on the list. Nobody watches the end that is gone. */
void file_release(struct model *model, struct file *file)
{
    if (--file->references > 0)
        return;
    watching_forget(model, file);
    if (file->other != NULL) {
        file->other->other = NULL;
        watching_event(model, file->other, READY_IN | READY_OUT | READY_HUP | READY_ERR);
    }
    file->kind = FILE_FREE;
}
