/* EVFILT_USER: events that the program itself triggers. The kernel is not involved. */
#include <errno.h>

#include "emulation.h"

static uint32_t combine(uint32_t stored, uint32_t fflags)
{
    uint32_t given = fflags & NOTE_FFLAGSMASK;
    switch (fflags & NOTE_FFCTRLMASK) {
    case NOTE_FFAND:
        return stored & given;
    case NOTE_FFOR:
        return stored | given;
    case NOTE_FFCOPY:
        return given;
    default:
        return stored;
    }
}

/* NOTE_TRIGGER has no effect in the change that adds the event: not every kernel looks there. */
static int add(struct user_filters *users, const struct kevent *change)
{
    struct note *note = notes_add(&users->list, change);
    if (note == NULL) {
        return ENOMEM;
    }
    note->fflags = change->fflags & NOTE_FFLAGSMASK;
    note->data = change->data;
    return 0;
}

int users_change(struct user_filters *users, const struct kevent *change)
{
    struct note *note = notes_find(&users->list, change->ident);
    if (note == NULL) {
        return (change->flags & EV_ADD) != 0 ? add(users, change) : ENOENT;
    }
    if ((change->flags & EV_DELETE) != 0) {
        notes_delete(&users->list, note);
        return 0;
    }
    int error = notes_update(note, change);
    if (error != 0) {
        return error;
    }
    note->fflags = combine(note->fflags, change->fflags);
    note->data = change->data;
    if ((change->fflags & NOTE_TRIGGER) != 0) {
        note->count = 1;
    } else if ((change->flags & EV_CLEAR) != 0) {
        /* The only way to cancel the trigger of an event that was added without EV_CLEAR. */
        note->count = 0;
    }
    return 0;
}
