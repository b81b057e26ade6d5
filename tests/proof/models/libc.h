/* What the drivers' programs call and Frama-C's C library doesn't declare. Included before everything else. */
#ifndef PROOF_LIBC_H
#define PROOF_LIBC_H

#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

time_t timegm(struct tm *tm);
void explicit_bzero(void *memory, size_t size);
size_t malloc_usable_size(void *memory);

#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 02000000
#endif
#ifndef MSG_DONTWAIT
#define MSG_DONTWAIT 0x40
#endif
#ifndef MSG_TRUNC
#define MSG_TRUNC 0x20
#endif

#endif
