/* Memory that stays; see memory.h. */
#include "process/memory.h"

#include <errno.h>
#include <link.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define STACK_NEEDED      ((size_t)128 * 1024)  /* a round of killing takes 40 kB of it */
#define STACK_LIMIT_LEAST ((size_t)1024 * 1024) /* a smaller one may not have that much left */
#define STACK_STEP        4096                  /* no page is smaller */

struct search {
    struct memory_map *map;
    uintptr_t page; /* its size */
};

static bool contains(const struct dl_phdr_info *object, uintptr_t address) {
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && address >= start && address - start < segment->p_memsz) return true;
    }
    return false;
}

/* Other libraries' code is the keeper's alone. In a program linked statically all three are one. */
static bool is_run(const struct dl_phdr_info *object) {
    return contains(object, (uintptr_t)memory_find) || contains(object, (uintptr_t)poll) ||
           contains(object, (uintptr_t)getauxval(AT_BASE));
}

/* The pages that size bytes from start touch. */
static void add(struct search *s, uintptr_t start, size_t size) {
    struct memory_map *map = s->map;
    if (map->count == MEMORY_AREAS_MAX) return;
    uintptr_t first = start & ~(s->page - 1);
    map->area[map->count].start = first;
    map->area[map->count].size = start + size - first;
    map->count++;
}

static int visit_object(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    if (!is_run(object)) return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD) add(context, object->dlpi_addr + segment->p_vaddr, segment->p_memsz);
    }
    return 0;
}

void memory_find(struct memory_map *map) {
    struct search s = {.map = map, .page = (uintptr_t)sysconf(_SC_PAGESIZE)};
    map->count = 0;
    add(&s, (uintptr_t)&errno, sizeof errno); /* what belongs to the thread is in no object */
    (void)dl_iterate_phdr(visit_object, &s);
}

/* Pages below the stack's end come into being when they are written to; what is locked stays then. */
static void __attribute__((noinline)) lock_stack(const void *end) {
    volatile char room[STACK_NEEDED];
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur < STACK_LIMIT_LEAST) return;
    for (size_t i = 0; i < sizeof room; i += STACK_STEP) room[i] = 0;
    uintptr_t start = (uintptr_t)room;
    (void)mlock((const void *)room, (uintptr_t)end > start + sizeof room ? (uintptr_t)end - start : sizeof room);
}

void memory_lock(const struct memory_map *map, const void *end) {
    lock_stack(end);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells where they lie in numbers */
    for (size_t i = 0; i < map->count; i++) (void)mlock((const void *)map->area[i].start, map->area[i].size);
}
