#include "payload.h"

#include "mix.h"

#include <ctype.h>
#include <stdlib.h>

enum { NUMBER_BITS = 40 };

static bool parse_part(const char **text, uint32_t *number, uint32_t least)
{
    char *end = NULL;

    if (!isdigit((unsigned char)**text))
        return false;
    unsigned long long value = strtoull(*text, &end, 10);
    *text = end;
    *number = (uint32_t)value;
    return value >= least && value <= PAYLOAD_MOST_BYTES;
}

bool payload_parse(struct payload_sizes *sizes, const char *text)
{
    *sizes = (struct payload_sizes){0};
    do {
        if (sizes->choices == PAYLOAD_CHOICES)
            return false;
        uint32_t least = 0;
        uint32_t weight = 1;
        if (!parse_part(&text, &least, 0))
            return false;
        uint32_t most = least;
        if (*text == '-' && (text++, !parse_part(&text, &most, least)))
            return false;
        if (*text == '*' && (text++, !parse_part(&text, &weight, 1)))
            return false;
        if (weight > 1000000)
            return false;
        sizes->choice[sizes->choices].least = least;
        sizes->choice[sizes->choices].most = most;
        sizes->choice[sizes->choices].weight = weight;
        sizes->choices++;
        sizes->total_weight += weight;
        if (most > sizes->most)
            sizes->most = most;
    } while (*text++ == ',');
    return text[-1] == '\0';
}

uint64_t payload_key(uint64_t seed)
{
    return mix(seed + GOLDEN);
}

uint64_t payload_identity(uint64_t key, uint32_t connection, uint64_t number)
{
    return mix(key ^ ((uint64_t)connection << NUMBER_BITS | number));
}

void payload_owner(uint64_t key, uint64_t identity, uint32_t *connection, uint64_t *number)
{
    uint64_t both = unmix(identity) ^ key;

    *connection = (uint32_t)(both >> NUMBER_BITS);
    *number = both & ((UINT64_C(1) << NUMBER_BITS) - 1);
}

uint32_t payload_size(const struct payload_sizes *sizes, uint64_t identity)
{
    if (sizes->choices == 1 && sizes->choice[0].least == sizes->choice[0].most)
        return sizes->most;
    uint64_t stream = ~identity; /* independent of the bytes, which are drawn from the identity */
    uint32_t left = (uint32_t)mix_below(&stream, sizes->total_weight);
    uint32_t i = 0;
    while (left >= sizes->choice[i].weight)
        left -= sizes->choice[i++].weight;
    uint64_t span = (uint64_t)sizes->choice[i].most - sizes->choice[i].least + 1;
    return sizes->choice[i].least + (uint32_t)mix_below(&stream, span);
}
