/* A directory to check; see place.h. Its disk may hang as any other's: what can, is done by the store's own processes;
 * the rest is a look at names. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/text.h"
#include "place.h"
#include "store/key.h"
#include "store/store.h"

/* What is wrong with a file system. Nobody has tried link(2) and fsync(2) where other machines may write, too. */
#define SHARED    "which other machines may share: nobody has shown that locks can be kept there"
#define FORGETFUL "which a restart empties: tokens would begin at 1 again; choose a directory on a disk"
#define LAYERED   "as a container's own files are: each container would keep a lock of its own; mount a volume there"

/* As statfs(2) lists them. */
static const struct doubtful_system {
    unsigned long type;
    const char *name;
    const char *doubt;
} doubtful_systems[] = {
    {0x6969, "nfs", SHARED},          {0xff534d42, "cifs", SHARED},     {0xfe534d42, "smb3", SHARED},
    {0x517b, "smb", SHARED},          {0x00c36400, "ceph", SHARED},     {0x65735546, "fuse", SHARED},
    {0x01021997, "9p", SHARED},       {0x5346414f, "afs", SHARED},      {0x7461636f, "ocfs2", SHARED},
    {0x01161970, "gfs2", SHARED},     {0x0bd00bd0, "lustre", SHARED},   {0x47504653, "gpfs", SHARED},
    {0x01021994, "tmpfs", FORGETFUL}, {0x858458f6, "ramfs", FORGETFUL}, {0x794c7630, "overlayfs", LAYERED},
    {0x61756673, "aufs", LAYERED},
};

static const struct doubtful_system *find_doubtful(const struct statfs *system) {
    for (size_t i = 0; i < sizeof doubtful_systems / sizeof *doubtful_systems; i++) {
        if (doubtful_systems[i].type == ((unsigned long)system->f_type & 0xffffffffUL)) return &doubtful_systems[i];
    }
    return NULL;
}

struct directory_place {
    struct place place;
    char folder[PATH_MAX];   /* the check's lock's */
    char existing[PATH_MAX]; /* the deepest folder above it that was there before */
};

static struct directory_place *self(struct place *place) { return (struct directory_place *)place; }

/* Cuts the last name off path. */
static void go_up(char *path) {
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        (void)text_copy(path, 2, "/");
    } else {
        *slash = '\0';
    }
}

static int look(struct place *place, struct report *report, char *reason) {
    struct directory_place *directory = self(place);
    struct statfs system;
    (void)text_copy(directory->existing, sizeof directory->existing, directory->folder);
    while (access(directory->existing, F_OK) != 0 && strcmp(directory->existing, "/") != 0) go_up(directory->existing);
    if (statfs(directory->existing, &system) != 0) {
        int error = errno;
        (void)text_format(reason, TEXT_REASON_SIZE, "can't look at %.300s: %s", directory->existing, strerror(error));
        return -error;
    }
    const struct doubtful_system *doubtful = find_doubtful(&system);
    struct finding *finding = report_add(report);
    if (doubtful != NULL) {
        finding_set(finding, "disk", FINDING_WARN, "%.600s is on %s, %s", place->options->bucket.directory,
                    doubtful->name, doubtful->doubt);
    } else {
        finding_set(finding, "disk", FINDING_OK, "%.800s is on a local file system", place->options->bucket.directory);
    }
    report_print(report);
    return 0;
}

static struct store *open_store(struct place *place, int who, char *reason) {
    (void)who;
    const struct options *options = place->options;
    return store_open_directory(options->bucket.directory, options->prefix, place->lock, reason);
}

/* Returns 0 where the slot is gone, or -errno. */
static int unlink_slot(const struct directory_place *directory, int64_t seq) {
    char name[KEY_SLOT_SIZE], path[PATH_MAX + KEY_SLOT_SIZE];
    key_format_slot(name, seq);
    (void)text_format(path, sizeof path, "%s/%s", directory->folder, name);
    return unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

static int remove_slot(struct place *place, int64_t seq, bool *allowed, char *reason) {
    int r = unlink_slot(self(place), seq);
    *allowed = r == 0;
    if (r != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't delete in %.300s: %s: old slots would pile up",
                          self(place)->folder, strerror(-r));
    }
    return 0;
}

static int settings(struct place *place, struct report *report, int64_t seq, char *reason) {
    (void)place, (void)report, (void)seq;
    reason[0] = '\0';
    return 0;
}

static int clean(struct place *place, int64_t last, char *reason) {
    struct directory_place *directory = self(place);
    char path[PATH_MAX];
    int error = 0;
    reason[0] = '\0';
    for (int64_t seq = 1; seq <= last && error == 0; seq++) error = unlink_slot(directory, seq);
    (void)text_copy(path, sizeof path, directory->folder);
    if (error == 0 && rmdir(path) != 0 && errno != ENOENT && errno != ENOTDIR) error = -errno;
    if (error != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "%.300s is left behind: %s", directory->folder, strerror(-error));
        return 0;
    }
    /* What stood above it only for its sake. Others may use it by now: then it isn't empty. */
    for (go_up(path); strlen(path) > strlen(directory->existing) && rmdir(path) == 0;) go_up(path);
    return 0;
}

static void close_place(struct place *place) { free(place); }

static const struct place_ops ops = {look, open_store, remove_slot, settings, clean, close_place};

struct place *place_open_directory(const struct options *options, const char *lock, char *reason) {
    struct directory_place *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        (void)text_copy(reason, TEXT_REASON_SIZE, "out of memory");
        return NULL;
    }
    directory->place = (struct place){.ops = &ops,
                                      .options = options,
                                      .wake_fd = -1,
                                      .endpoints = 1,
                                      .get = "reading files",
                                      .put = "making files",
                                      .list = "listing the folder",
                                      .remove = "deleting files"};
    (void)text_copy(directory->place.lock, sizeof directory->place.lock, lock);
    const char *top = options->bucket.directory;
    int r = text_format(directory->folder, sizeof directory->folder, "%s/%s%s", strcmp(top, "/") == 0 ? "" : top,
                        options->prefix, lock);
    if (r == 0) return &directory->place;
    (void)text_copy(reason, TEXT_REASON_SIZE, "the directory's name is too long: correct --bucket or --prefix");
    free(directory);
    return NULL;
}
