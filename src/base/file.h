/* Files as names: a rename that never replaces, and names made durable.
 *
 * All functions block; none runs on the loop's thread. Errors are negative
 * errno values, but where a struct err is filled.
 */
#ifndef BTC_BASE_FILE_H
#define BTC_BASE_FILE_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>

/* Names a file that has no name yet `to`, never in the place of another
 * (-EEXIST). Where the file system cannot rename that way it links; where it
 * cannot link either, the place is looked at first. A program that is killed
 * may leave both names then; to ask for the same again takes the first away. */
int file_rename_new(const char *from, const char *to);
/* Both are there, and names of one file. Links are not followed. */
bool file_is_same(const char *a, const char *b);

/* Forces a file's content, or a folder's names, to the device. File systems
 * that have nothing to sync for a folder say EINVAL: that is no error. */
int file_sync(const char *path);

/* The same of the folder that a path lies in: makes a new name durable. */
int file_sync_folder_of(const char *path);

/* Writes a file that appears whole or not at all, also after a power cut: under
 * another name first, synced, renamed, its folder synced. Without `replace`
 * BTC_E_EXISTS when something has the name by then. */
int file_save(const char *path, struct slice content, bool replace,
              struct err *e);

/* Writes all of it, however many writes that takes. */
int file_write_all(int fd, struct slice content);

/* The path of `name` in a folder: "/" and "a" are "/a"; free(). */
char *file_join(const char *folder, const char *name);

/* The folder that a path lies in, "." when it names none; free(). */
char *file_folder_of(const char *path);

#endif
