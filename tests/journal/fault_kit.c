/* See fault_kit.h. */
#include "journal/fault_kit.h"

int fault_left = -1;

int fault_rc = SQLITE_IOERR;

bool fault_keep;

static bool fault_hits(void)
{
    if (fault_left > 0) {
        fault_left--;
    }
    return fault_left == 0;
}

static sqlite3_file *fault_real(sqlite3_file *f)
{
    return ((struct fault_file *)f)->real;
}

/* The file as it stands goes to FILE.safe. */
static void fault_save(const char *name)
{
    char *to = mem_printf("%s.safe", name);
    FILE *in = fopen(name, "re");
    FILE *out = fopen(to, "we");
    char block[65536];
    size_t n;
    while (in && out && (n = fread(block, 1, sizeof(block), in)) > 0) {
        (void)fwrite(block, 1, n, out);
    }
    if (in) {
        (void)fclose(in);
    }
    if (out) {
        (void)fclose(out);
    }
    free(to);
}

static int fault_close(sqlite3_file *f)
{
    int rc = fault_real(f)->pMethods->xClose(fault_real(f));
    free(fault_real(f));
    return rc;
}

static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return fault_real(f)->pMethods->xRead(fault_real(f), p, n, at);
}

static int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (fault_hits()) {
        /* half of it got there */
        (void)fault_real(f)->pMethods->xWrite(fault_real(f), p, n / 2, at);
        return fault_rc == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    return fault_real(f)->pMethods->xWrite(fault_real(f), p, n, at);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fault_hits()) {
        return SQLITE_IOERR_TRUNCATE;
    }
    return fault_real(f)->pMethods->xTruncate(fault_real(f), size);
}

static int fault_sync(sqlite3_file *f, int flags)
{
    if (fault_hits()) {
        return SQLITE_IOERR_FSYNC;
    }
    const struct fault_file *file = (struct fault_file *)f;
    int rc = file->real->pMethods->xSync(file->real, flags);
    if (fault_keep && file->name) {
        fault_save(file->name);
    }
    return rc;
}

static int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return fault_real(f)->pMethods->xFileSize(fault_real(f), size);
}

static int fault_lock(sqlite3_file *f, int how)
{
    return fault_real(f)->pMethods->xLock(fault_real(f), how);
}

static int fault_unlock(sqlite3_file *f, int how)
{
    return fault_real(f)->pMethods->xUnlock(fault_real(f), how);
}

static int fault_check(sqlite3_file *f, int *out)
{
    return fault_real(f)->pMethods->xCheckReservedLock(fault_real(f), out);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
    return fault_real(f)->pMethods->xFileControl(fault_real(f), op, arg);
}

static int fault_sector(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xSectorSize(fault_real(f));
}

static int fault_traits(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xDeviceCharacteristics(fault_real(f));
}

static int fault_shm_map(sqlite3_file *f, int page, int size, int extend,
                         void volatile **out)
{
    return fault_real(f)->pMethods->xShmMap(fault_real(f), page, size, extend,
                                            out);
}

static int fault_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return fault_real(f)->pMethods->xShmLock(fault_real(f), at, n, flags);
}

static void fault_shm_barrier(sqlite3_file *f)
{
    fault_real(f)->pMethods->xShmBarrier(fault_real(f));
}

static int fault_shm_unmap(sqlite3_file *f, int remove)
{
    return fault_real(f)->pMethods->xShmUnmap(fault_real(f), remove);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_traits,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                      int flags, int *out)
{
    sqlite3_vfs *under = vfs->pAppData;
    struct fault_file *file = (struct fault_file *)f;
    file->base.pMethods = NULL;
    file->name = name;
    file->real = mem_zalloc((size_t)under->szOsFile);
    int rc = under->xOpen(under, name, file->real, flags, out);
    if (rc == SQLITE_OK) {
        file->base.pMethods = &fault_methods;
    } else {
        free(file->real);
    }
    return rc;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    sqlite3_vfs *under = vfs->pAppData;
    char *safe = mem_printf("%s.safe", name);
    if (fault_keep && sync) {
        (void)unlink(safe);
    }
    free(safe);
    return under->xDelete(under, name, sync);
}

void fault_install(void)
{
    static sqlite3_vfs vfs;
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    if (vfs.zName) {
        return;
    }
    vfs = *under;
    vfs.zName = "fault";
    vfs.pAppData = under;
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct fault_file);
    vfs.xOpen = fault_open;
    vfs.xDelete = fault_delete;
    (void)sqlite3_vfs_register(&vfs, 1);
}
