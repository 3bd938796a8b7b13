/* Runs a fuzzer over its corpus without libFuzzer, so that every build replays
 * what was ever found.
 *
 * Each input is copied into a block of exactly its size, so that a read past
 * the end is seen by ASan and valgrind; then come its truncations.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Truncations per input: all of a short one, evenly spread over a long one. */
#define REPLAY_CUTS_MAX 256
/* A corpus file may not be larger; corpora are meant to be small. */
#define REPLAY_INPUT_MAX (16l << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives the fuzzer the first `len` bytes in a block of their own. */
static void replay_run(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len);
    if (len > 0) {
        if (!copy) {
            abort();
        }
        memcpy(copy, data, len);
    }
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

/* The whole input, then its beginnings. */
static void replay_input(const uint8_t *data, size_t len)
{
    size_t step = len / REPLAY_CUTS_MAX + 1;
    replay_run(data, len);
    for (size_t cut = 0; cut < len; cut += step) {
        replay_run(data, cut);
    }
    if (len > 0) {
        replay_run(data, len - 1);
    }
}

/* Reads a whole file; NULL when it cannot. */
static uint8_t *replay_read(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *data = NULL;
    if (!f) {
        return NULL;
    }
    if (fseek(f, 0, SEEK_END) == 0) {
        long size = ftell(f);
        if (size >= 0 && size <= REPLAY_INPUT_MAX &&
            fseek(f, 0, SEEK_SET) == 0) {
            *len = (size_t)size;
            data = malloc(*len + 1);
        }
    }
    if (data && fread(data, 1, *len, f) != *len) {
        free(data);
        data = NULL;
    }
    (void)fclose(f);
    return data;
}

/* Replays one file; 1 when it was an input, 0 for another kind of entry. */
static int replay_file(const char *path)
{
    struct stat st;
    size_t len = 0;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return 0;
    }
    uint8_t *data = replay_read(path, &len);
    if (!data) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    replay_input(data, len);
    free(data);
    return 1;
}

/* Replays a folder's files; gives how many, or -1 without a folder. */
static int replay_folder(const char *folder)
{
    int n = 0;
    struct dirent **names = NULL;
    int found = scandir(folder, &names, NULL, alphasort);
    if (found < 0) {
        return -1;
    }
    for (int i = 0; i < found; i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        n += replay_file(path);
        free(names[i]);
    }
    free(names);
    return n;
}

/* FOLDER...: 0 when each has at least one input. */
int main(int argc, char **argv)
{
    int total = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s CORPUS-FOLDER...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        int n = replay_folder(argv[i]);
        if (n <= 0) {
            (void)fprintf(stderr, "%s: %s\n", argv[i],
                          n < 0 ? "no such folder" : "no input in it");
            return 1;
        }
        total += n;
    }
    (void)printf("%d inputs\n", total);
    return 0;
}
