/* Refuses calls on files below $SHIM_ROOT, as CIFS, NFS and S3 mounts do, or as a full disk does; see shim.py.
 *
 * The variables are looked at in every call, so that a process which was forked can still be asked to refuse.
 * Changes of what is written into a memory map are not seen: what a map needs is taken by fallocate, or by a real disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static atomic_llong written;

static int refuses(const char *call) {
    const char *asked = getenv("SHIM_REFUSES");
    size_t length = strlen(call);
    for (const char *at = asked; at && (at = strstr(at, call)); at++)
        if ((at == asked || at[-1] == ',') && (at[length] == ',' || !at[length])) return 1;
    return 0;
}

static int inside(const char *path) {
    const char *root = getenv("SHIM_ROOT");
    char whole[2 * PATH_MAX];
    if (!root || !path) return 0;
    if (path[0] != '/' && getcwd(whole, PATH_MAX)) {
        strcat(whole, "/");
        strncat(whole, path, PATH_MAX - 2);
        path = whole;
    }
    size_t length = strlen(root);
    return !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int is_ours(int file) {
    char link[32], path[PATH_MAX];
    if (file < 0 || !getenv("SHIM_ROOT")) return 0;
    strcpy(link, "/proc/self/fd/");
    char digits[12], *end = digits + 11;
    *end = 0;
    do *--end = '0' + file % 10; while (file /= 10);
    strcat(link, end);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return inside(path);
}

static int is_full(int file, long long more) {
    const char *room = getenv("SHIM_ROOM");
    if (!room || !is_ours(file)) return 0;
    if (atomic_fetch_add(&written, more) + more <= atoll(room)) return 0;
    errno = ENOSPC;
    return 1;
}

#define REFUSE(call, when, number) if (refuses(call) && (when)) { errno = number; return -1; }

int chmod(const char *path, mode_t mode) { REAL(chmod); REFUSE("chmod", inside(path), EPERM) return real(path, mode); }
int fchmod(int file, mode_t mode) { REAL(fchmod); REFUSE("chmod", is_ours(file), EPERM) return real(file, mode); }
int fchmodat(int at, const char *path, mode_t mode, int flags) {
    REAL(fchmodat); REFUSE("chmod", inside(path), EPERM) return real(at, path, mode, flags);
}
int link(const char *old, const char *new) { REAL(link); REFUSE("link", inside(new), ENOTSUP) return real(old, new); }
int linkat(int from, const char *old, int to, const char *new, int flags) {
    REAL(linkat); REFUSE("link", inside(new), ENOTSUP) return real(from, old, to, new, flags);
}
int flock(int file, int how) { REAL(flock); REFUSE("flock", is_ours(file), ENOLCK) return real(file, how); }

int posix_fallocate(int file, off_t from, off_t size) {
    REAL(posix_fallocate);
    if (refuses("fallocate") && is_ours(file)) return EOPNOTSUPP;
    return is_full(file, size) ? ENOSPC : real(file, from, size);
}
int posix_fallocate64(int file, off64_t from, off64_t size) {
    REAL(posix_fallocate64);
    if (refuses("fallocate") && is_ours(file)) return EOPNOTSUPP;
    return is_full(file, size) ? ENOSPC : real(file, from, size);
}

void *mmap(void *at, size_t size, int how, int flags, int file, off_t from) {
    REAL(mmap);
    if (refuses("mmap") && is_ours(file)) { errno = ENODEV; return MAP_FAILED; }
    return real(at, size, how, flags, file, from);
}
void *mmap64(void *at, size_t size, int how, int flags, int file, off64_t from) {
    REAL(mmap64);
    if (refuses("mmap") && is_ours(file)) { errno = ENODEV; return MAP_FAILED; }
    return real(at, size, how, flags, file, from);
}

ssize_t write(int file, const void *from, size_t size) {
    REAL(write); return is_full(file, size) ? -1 : real(file, from, size);
}
ssize_t pwrite(int file, const void *from, size_t size, off_t at) {
    REAL(pwrite); return is_full(file, size) ? -1 : real(file, from, size, at);
}
ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) {
    REAL(pwrite64); return is_full(file, size) ? -1 : real(file, from, size, at);
}
ssize_t writev(int file, const struct iovec *from, int count) {
    REAL(writev); return is_full(file, count ? (long long)from[0].iov_len : 0) ? -1 : real(file, from, count);
}

/* The clock of the calendar jumps back by a day, so many seconds after the first call that looks at it. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    static time_t first;
    int result = real(clock, now);
    const char *back = getenv("SHIM_BACK");
    if (back && clock == CLOCK_REALTIME && !result) {
        if (!first) first = now->tv_sec;
        if (now->tv_sec - first >= atoll(back)) now->tv_sec -= 86400;
    }
    return result;
}
