/*
 * Filters that have no descriptor: timers, signals, user events. A note is pending while its count
 * is above zero. The count is the number of expirations or deliveries, or 1 for a triggered user
 * event. The list is a plain array, searched from the front, because a program has only a few
 * notes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emulation.h"

#define KEPT_FLAGS     (EV_ONESHOT | EV_CLEAR | EV_RECEIPT)
#define FIRST_CAPACITY 4

struct note *notes_find(struct note_list *list, uintptr_t ident)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->notes[i].ident == ident) {
            return &list->notes[i];
        }
    }
    return NULL;
}

/* Appends a note made from the change. NULL when memory is short. */
struct note *notes_add(struct note_list *list, const struct kevent *change)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? FIRST_CAPACITY : list->capacity * 2;
        struct note *grown = realloc(list->notes, capacity * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        list->notes = grown;
        list->capacity = capacity;
    }
    struct note *note = &list->notes[list->count++];
    *note = (struct note){.ident = change->ident,
                          .udata = change->udata,
                          .flags = change->flags & KEPT_FLAGS,
                          .enabled = (change->flags & EV_DISABLE) == 0};
    return note;
}

bool relies_on_udata(const void *known, const struct kevent *change)
{
    return (change->flags & (EV_ADD | EV_DELETE | EV_DISABLE)) == 0 && change->udata != known;
}

/* Only EV_ENABLE enables: EV_ADD leaves a disabled filter disabled. */
int notes_update(struct note *note, const struct kevent *change)
{
    if (relies_on_udata(note->udata, change)) {
        return EINVAL;
    }
    if ((change->flags & EV_ADD) != 0) {
        note->udata = change->udata;
    }
    if ((change->flags & EV_DISABLE) != 0) {
        note->enabled = false;
    } else if ((change->flags & EV_ENABLE) != 0) {
        note->enabled = true;
    }
    return 0;
}

void notes_remove(struct note_list *list, size_t index)
{
    list->count--;
    memmove(&list->notes[index], &list->notes[index + 1],
            (list->count - index) * sizeof *list->notes);
    if (list->turn > index) {
        list->turn--;
    }
}

void notes_delete(struct note_list *list, struct note *note)
{
    notes_remove(list, (size_t)(note - list->notes));
}

static bool is_pending(const struct note *note)
{
    return note->enabled && note->count > 0;
}

bool notes_pending(const struct note_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_pending(&list->notes[i])) {
            return true;
        }
    }
    return false;
}

static struct kevent event_from(const struct note *note, int16_t filter)
{
    bool counted = filter != EVFILT_USER;
    uint64_t count = note->count > INTPTR_MAX ? INTPTR_MAX : note->count;
    return (struct kevent){.ident = note->ident,
                           .filter = filter,
                           .flags = note->flags,
                           .fflags = counted ? 0 : note->fflags,
                           .data = counted ? (intptr_t)count : note->data,
                           .udata = note->udata};
}

/*
 * Moves pending notes into the events, at most room. The next call starts where this one stopped.
 * So a note that stays pending cannot keep the others out of a short list.
 */
int notes_collect(struct note_list *list, struct kevent *events, int room)
{
    int collected = 0;
    size_t total = list->count;
    for (size_t looked = 0; looked < total && collected < room; looked++) {
        if (list->turn >= list->count) {
            list->turn = 0;
        }
        struct note *note = &list->notes[list->turn];
        if (!is_pending(note)) {
            list->turn++;
            continue;
        }
        events[collected++] = event_from(note, list->filter);
        if ((note->flags & EV_ONESHOT) != 0) {
            notes_remove(list, list->turn);
            continue;
        }
        if ((note->flags & EV_CLEAR) != 0) {
            note->count = 0;
        }
        list->turn++;
    }
    return collected;
}
