/* Keeping what a process runs on in memory: when memory is short, its code is thrown out and read again from a disk
 * that may hang just then. Knows nothing of guards. */
#ifndef PROCESS_MEMORY_H
#define PROCESS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_AREAS_MAX 16

/* Where the program, libc, the loader and the caller's errno lie. Plain values. */
struct memory_map {
    size_t count;
    struct {
        uintptr_t start;
        size_t size; /* bytes */
    } area[MEMORY_AREAS_MAX];
};

/* Finds them. Takes the loader's lock: not in a process just cloned from one with threads. */
void memory_find(struct memory_map *map);

/* Locks them and the stack: from end (an address in a caller's frame) down to as much below the caller as deep calls
 * take. Best effort: RLIMIT_MEMLOCK may forbid it, or some of it; the stack comes first. The locks end with the process
 * and aren't inherited. Async-signal-safe. */
void memory_lock(const struct memory_map *map, const void *end);

#endif
