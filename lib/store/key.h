/* The names of slots, the same in every backend: <prefix><lock>/<999999999999 - seq, 12 digits>-<seq>.
 *
 * The descending number makes a listing in byte order show the newest slot first. A name is a slot when it has exactly
 * this form and its halves add up; any other name is somebody else's and is left alone. Knows nothing of what keeps the
 * names. */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_SLOT_SIZE   26   /* 12 digits, '-', at most 12 digits, terminator */
#define KEY_FOLDER_SIZE 1000 /* S3 keys have at most 1024 bytes, a slot's name in it 25 */

/* Writes the name of slot seq (1 to RECORD_SEQ_MAX) within its folder, e.g. "999999999957-42". */
void key_format_slot(char out[KEY_SLOT_SIZE], int64_t seq);

/* Tells whether name, the part behind the folder, is a slot's, and which one's: 12 digits, '-', a number from 1 to
 * RECORD_SEQ_MAX without leading zeros, both adding up to 999999999999, and nothing else. Sets *seq only where it is.
 */
bool key_parse_slot(const char *name, int64_t *seq);

/* Writes the lock's folder, "<prefix><lock>/", into out[size]. Returns 0, -EINVAL where the lock's name is empty, ".",
 * ".." or holds a '/', or either holds a control character (which S3's XML listings can't show), or -ENAMETOOLONG past
 * size or KEY_FOLDER_SIZE. */
int key_format_folder(char *out, size_t size, const char *prefix, const char *lock);

#endif
