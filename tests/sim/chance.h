/* Random numbers for the simulator: one 64-bit seed, integers only, so that a seed means the same run everywhere. */
#ifndef SIM_CHANCE_H
#define SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* The next 64 random bits (splitmix64). */
static inline uint64_t chance_bits(struct chance *c) {
    uint64_t z = (c->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Evenly from low to high, both included; low where high is less. */
static inline int64_t chance_between(struct chance *c, int64_t low, int64_t high) {
    if (high <= low) return low;
    return low + (int64_t)(chance_bits(c) % ((uint64_t)(high - low) + 1));
}

/* True in so many of a million cases. */
static inline bool chance_ppm(struct chance *c, int64_t ppm) {
    return ppm > 0 && (int64_t)(chance_bits(c) % 1000000) < ppm;
}

/* From low (> 0) to high, each doubling as likely as the next: milliseconds and hours both come up. */
static inline int64_t chance_spread(struct chance *c, int64_t low, int64_t high) {
    int doublings = 0;
    while (doublings < 62 && low < high >> doublings) doublings++;
    int64_t from = low << chance_between(c, 0, doublings > 0 ? doublings - 1 : 0);
    int64_t drawn = chance_between(c, from, from * 2);
    return drawn < high ? drawn : high;
}

#endif
