/* S3's XML answers, element by element. What XML can do beyond what S3 needs (document types, entities, deep nesting,
 * endless text) is refused, for the bytes come from outside. Knows no answer in particular: listing.h and error.h do.
 */
#ifndef S3_XML_H
#define S3_XML_H

#include <stddef.h>

#define XML_DEPTH_MAX 8
#define XML_PATH_SIZE 256
#define XML_TEXT_SIZE 20480 /* the longest are session tokens */

/* Called at each element's end with the names from the root down, "ListBucketResult/Contents/Key", without namespace
 * prefixes, and the text that stood directly in it. Returns 0 to go on, or -errno to stop. */
typedef int xml_element(void *context, const char *path, const char *text);

/* Parses length bytes as one whole document. Returns 0, -EPROTO where it isn't well-formed, isn't all there or is more
 * than S3 sends, -ENOMEM, or what element returned. */
int xml_parse(const char *bytes, size_t length, xml_element *element, void *context);

#endif
