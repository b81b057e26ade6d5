/* Errnos of disks; see directory_error.h. */
#include "store/directory_error.h"

#include <errno.h>
#include <stddef.h>

/* Of the disk, of this process and this machine, and of disks at the end of a network. */
static const int passing[] = {
    EIO,          ENOSPC,       EDQUOT,     EBUSY,        EAGAIN,    EINTR,    ENOENT,      EEXIST,
    ESTALE,       EUCLEAN,      ENOMEM,     ENFILE,       EMFILE,    ENOBUFS,  ENOLCK,      EDEADLK,
    ETXTBSY,      ENODEV,       ENXIO,      EREMOTEIO,    ENOTCONN,  ENETDOWN, ENETUNREACH, EHOSTDOWN,
    EHOSTUNREACH, ECONNREFUSED, ECONNRESET, ECONNABORTED, ETIMEDOUT, EPIPE,
};

bool directory_error_passes(int error) {
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        if (passing[i] == error) return true;
    }
    return false;
}

const char *directory_error_advice(int error) {
    switch (error) {
    case EACCES:
        return ": this user needs to read, write and search that folder";
    case EPERM:
        return ": not allowed to this user, or the disk knows no hard links";
    case EOPNOTSUPP:
    case ENOSYS:
    case EXDEV:
    case EMLINK:
        return ": a lock needs hard links there; choose a folder on another file system";
    case ENOENT:
        return ": somebody deleted it";
    case ENOTDIR:
        return ": file:DIR must name a folder, or one that can be made";
    case EROFS:
        return ": mount it writable, or choose another folder";
    case ENAMETOOLONG:
        return ": choose a shorter folder, prefix or lock name";
    default:
        return "";
    }
}
