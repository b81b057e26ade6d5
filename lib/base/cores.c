/* No core files; see cores.h. */
#include "base/cores.h"

#include <sys/resource.h>

/* A limit of 1 and not 0: that keeps the kernel from running a handler, too. */
void cores_forbid(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max >= 1 ? 1 : 0;
    (void)setrlimit(RLIMIT_CORE, &limit);
}
