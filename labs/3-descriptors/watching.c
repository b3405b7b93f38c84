/* epoll(7): what the kernel keeps for a set, and what a wait reports.
 *
 * Each entry of a set is either on its list or not. What happens to a file puts its entries on the
 * list. A wait takes every entry from the list and asks its file what is ready now. The difference
 * between level and edge is what becomes of the entry then. */
#include "model.h"

#include <errno.h>

/* The key of an entry is the open file together with the number (epoll(7), question 1). */
struct interest *watching_find(struct file *epoll, const struct file *file, int number)
{
    for (size_t i = 0; i < epoll->interest_count; i++) {
        struct interest *interest = &epoll->interests[i];
        if (interest->file == file && interest->number == number)
            return interest;
    }
    return NULL;
}

/* A new entry begins on the list: what is ready already is reported by the next wait. */
int watching_add(struct file *epoll, struct file *file, int number, unsigned events, bool edge)
{
    if (watching_find(epoll, file, number) != NULL)
        return -EEXIST;
    if (epoll->interest_count == INTERESTS)
        return -ENOSPC;
    epoll->interests[epoll->interest_count++] = (struct interest){
        .file = file, .number = number, .events = events, .edge = edge, .listed = true};
    return 0;
}

/* A change looks at the file anew, as adding does. So it reports what an edge has reported already:
 * this is how a one-shot entry is armed again. */
int watching_change(struct file *epoll, struct file *file, int number, unsigned events, bool edge)
{
    struct interest *interest = watching_find(epoll, file, number);

    if (interest == NULL)
        return -ENOENT;
    interest->events = events;
    interest->edge = edge;
    interest->listed = true;
    return 0;
}

/* The others keep their order. */
int watching_delete(struct file *epoll, struct file *file, int number)
{
    struct interest *interest = watching_find(epoll, file, number);

    if (interest == NULL)
        return -ENOENT;
    for (epoll->interest_count--; interest < &epoll->interests[epoll->interest_count]; interest++)
        interest[0] = interest[1];
    return 0;
}

void watching_event(struct model *model, const struct file *file, unsigned events)
{
    for (size_t i = 0; i < OPEN_FILES; i++) {
        struct file *epoll = &model->files[i];
        if (epoll->kind != FILE_EPOLL)
            continue;
        for (size_t j = 0; j < epoll->interest_count; j++) {
            struct interest *interest = &epoll->interests[j];
            if (interest->file == file &&
                (events & (interest->events | READY_HUP | READY_ERR)) != 0)
                interest->listed = true;
        }
    }
}

/* The set holds the open file, not the number. So this comes when the last descriptor of the file
 * is closed, in whatever process, and not before. */
void watching_forget(struct model *model, const struct file *file)
{
    for (size_t i = 0; i < OPEN_FILES; i++) {
        struct file *epoll = &model->files[i];
        size_t kept = 0;
        for (size_t j = 0; epoll->kind == FILE_EPOLL && j < epoll->interest_count; j++)
            if (epoll->interests[j].file != file)
                epoll->interests[kept++] = epoll->interests[j];
        epoll->interest_count = kept;
    }
}

/* An entry that is ready is reported. Level-triggered, it stays on the list, so that the next wait
 * looks again. Edge-triggered, it leaves the list until something happens. An entry that is no
 * longer ready leaves the list in silence. */
void watching_wait(struct file *epoll, void (*report)(int number, unsigned ready))
{
    for (size_t i = 0; i < epoll->interest_count; i++) {
        struct interest *interest = &epoll->interests[i];
        unsigned ready =
            file_readiness(interest->file) & (interest->events | READY_HUP | READY_ERR);
        if (interest->listed && ready != 0)
            report(interest->number, ready);
        interest->listed = interest->listed && ready != 0 && !interest->edge;
    }
}
