/* Where a database may live: SQLite's WAL needs shared memory and locks between
 * all who have the file open. A file system that lies on another machine gives
 * neither, whatever its name, and then two programs destroy the file without an
 * error. So it is refused there, unless the user insists. */
#include "journal/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

/* f_type of statfs(2), from the manual page and linux/magic.h. */
#define JOURNAL_FS_FUSE 0x65735546u
static const struct journal_fs {
    uint32_t type;
    const char *name;
} journal_fs_remote[] = {
    {0x6969u, "NFS"},      {0x517bu, "SMB"},      {0xff534d42u, "CIFS"},
    {0xfe534d42u, "SMB2"}, {0x01021997u, "9p"},   {0x5346414fu, "AFS"},
    {0x6b414653u, "AFS"},  {0x00c36400u, "Ceph"}, {0x73757245u, "Coda"},
    {0x564cu, "NCP"},
};
/* What stands behind FUSE is told by the mount's type alone. */
static const char *const journal_fs_fuse[] = {
    "fuse.sshfs",     "fuse.rclone", "fuse.s3fs",   "fuse.curlftpfs",
    "fuse.glusterfs", "fuse.davfs",  "fuse.gcsfuse"};

const char *journal_fs_network(uint32_t type, const char *mount_type)
{
    size_t n = sizeof(journal_fs_remote) / sizeof(journal_fs_remote[0]);
    for (size_t i = 0; i < n; i++) {
        if (journal_fs_remote[i].type == type) {
            return journal_fs_remote[i].name;
        }
    }
    n = sizeof(journal_fs_fuse) / sizeof(journal_fs_fuse[0]);
    for (size_t i = 0; type == JOURNAL_FS_FUSE && i < n; i++) {
        if (strcmp(journal_fs_fuse[i], mount_type) == 0) {
            return journal_fs_fuse[i] + strlen("fuse.");
        }
    }
    return NULL;
}

/* The type of the mount with this device, from /proc/self/mountinfo (proc(5)):
 * "36 35 98:0 /a /b rw - ext3 /dev/root rw". "" when it is not known. */
static void journal_fs_mount_type(dev_t dev, char *out, size_t cap)
{
    char line[4096];
    char want[32];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    out[0] = '\0';
    (void)snprintf(want, sizeof(want), " %u:%u ", major(dev), minor(dev));
    while (f && fgets(line, sizeof(line), f)) {
        const char *type = strstr(line, " - ");
        if (type && strstr(line, want)) {
            type += strlen(" - ");
            (void)snprintf(out, cap, "%.*s", (int)strcspn(type, " "), type);
        }
    }
    if (f) {
        (void)fclose(f);
    }
}

int journal_fs_check(const char *path, struct err *e)
{
    struct statfs fs;
    struct stat st;
    char type[64] = "";
    char *copy = mem_strdup(path);
    const char *folder = dirname(copy);
    bool known = statfs(folder, &fs) == 0 && stat(folder, &st) == 0;
    free(copy);
    if (!known) {
        return 0; /* opening it will tell why */
    }
    if ((uint32_t)fs.f_type == JOURNAL_FS_FUSE) {
        journal_fs_mount_type(st.st_dev, type, sizeof(type));
    }
    const char *name = journal_fs_network((uint32_t)fs.f_type, type);
    if (!name) {
        return 0;
    }
    return err_set(e, BTC_E_DB,
                   "%s lies on a network file system (%s): there SQLite's "
                   "locks and shared memory do not hold, and two programs "
                   "destroy the database. Name a local file with --db FILE "
                   "(the downloads may stay there), or insist with "
                   "--allow-network-db if nothing else ever opens it",
                   path, name);
}
