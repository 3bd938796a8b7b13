/* Words and values of the database, from the lists of names.h. */
#include "model/names.h"

#define NAMES_WORD(value, word) [(value)] = (word),
#define NAMES_COUNT(list)       (sizeof(list) / sizeof((list)[0]))

static const char *const names_wanted[] = {WANTED_NAMES(NAMES_WORD)};
static const char *const names_seed_mode[] = {SEED_MODE_NAMES(NAMES_WORD)};
static const char *const names_level[] = {LEVEL_NAMES(NAMES_WORD)};
static const char *const names_source[] = {PEER_SOURCE_NAMES(NAMES_WORD)};

/* The word at a place of a list. */
static const char *names_word(const char *const *list, size_t n, size_t i)
{
    if (i >= n) {
        return "?";
    }
    return list[i];
}

/* The place of a word in a list. */
static int names_find(const char *const *list, size_t n, struct slice word,
                      int otherwise)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq_str(word, list[i])) {
            return (int)i;
        }
    }
    return otherwise;
}

const char *wanted_name(enum wanted w)
{
    return names_word(names_wanted, NAMES_COUNT(names_wanted), (size_t)w);
}

const char *seed_mode_name(enum seed_mode m)
{
    return names_word(names_seed_mode, NAMES_COUNT(names_seed_mode), (size_t)m);
}

const char *level_name(enum level l)
{
    return names_word(names_level, NAMES_COUNT(names_level), (size_t)l);
}

const char *peer_source_name(enum peer_source s)
{
    return names_word(names_source, NAMES_COUNT(names_source), (size_t)s);
}

enum wanted wanted_from_name(struct slice word, enum wanted otherwise)
{
    return (enum wanted)names_find(names_wanted, NAMES_COUNT(names_wanted),
                                   word, (int)otherwise);
}

enum seed_mode seed_mode_from_name(struct slice word, enum seed_mode otherwise)
{
    return (enum seed_mode)names_find(
        names_seed_mode, NAMES_COUNT(names_seed_mode), word, (int)otherwise);
}

enum peer_source peer_source_from_name(struct slice word,
                                       enum peer_source otherwise)
{
    return (enum peer_source)names_find(names_source, NAMES_COUNT(names_source),
                                        word, (int)otherwise);
}
