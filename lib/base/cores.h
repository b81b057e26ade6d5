/* Secrets mustn't end up in a core file. */
#ifndef BASE_CORES_H
#define BASE_CORES_H

/* From now on neither this process nor what it starts leaves one. */
void cores_forbid(void);

#endif
