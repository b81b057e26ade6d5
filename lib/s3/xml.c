/* Bounded XML by expat; see xml.h. */
#include "s3/xml.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct walk {
    XML_Parser parser;
    xml_element *element;
    void *context;
    int rc;
    int depth;
    size_t ends[XML_DEPTH_MAX + 1]; /* the path's length at each depth */
    char path[XML_PATH_SIZE];
    size_t text_length;
    char text[XML_TEXT_SIZE];
};

static void stop(struct walk *walk, int rc) {
    if (walk->rc == 0) walk->rc = rc;
    (void)XML_StopParser(walk->parser, XML_FALSE);
}

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes) {
    struct walk *walk = data;
    (void)attributes;
    if (walk->rc != 0) return;
    const char *colon = strrchr(name, ':');
    if (colon != NULL) name = colon + 1;
    size_t length = walk->ends[walk->depth];
    if (walk->depth == XML_DEPTH_MAX ||
        text_format(walk->path + length, sizeof walk->path - length, "%s%s", walk->depth > 0 ? "/" : "", name) != 0) {
        stop(walk, -EPROTO);
        return;
    }
    walk->depth++;
    walk->ends[walk->depth] = length + strlen(walk->path + length);
    walk->text_length = 0;
}

static void on_end(void *data, const XML_Char *name) {
    struct walk *walk = data;
    (void)name;
    if (walk->rc != 0) return;
    walk->text[walk->text_length] = '\0';
    int rc = walk->element(walk->context, walk->path, walk->text);
    if (rc != 0) stop(walk, rc);
    walk->depth--;
    walk->path[walk->ends[walk->depth]] = '\0';
    walk->text_length = 0;
}

static void on_text(void *data, const XML_Char *text, int length) {
    struct walk *walk = data;
    if (walk->rc != 0) return;
    if ((size_t)length >= sizeof walk->text - walk->text_length) {
        stop(walk, -EPROTO);
        return;
    }
    memcpy(walk->text + walk->text_length, text, (size_t)length);
    walk->text_length += (size_t)length;
}

static void on_doctype(void *data, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    stop(data, -EPROTO);
}

/* The parser's memory may have held keys (STS), so none is given back as it is. */
static void wipe_and_free(void *memory) {
    if (memory != NULL) explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

static void *wipe_and_move(void *memory, size_t size) {
    void *moved = malloc(size);
    size_t old_size = memory != NULL ? malloc_usable_size(memory) : 0;
    if (moved == NULL) return NULL;
    if (old_size > 0) memcpy(moved, memory, old_size < size ? old_size : size);
    wipe_and_free(memory);
    return moved;
}

int xml_parse(const char *bytes, size_t length, xml_element *element, void *context) {
    static const XML_Memory_Handling_Suite memory = {malloc, wipe_and_move, wipe_and_free};
    if (length > INT_MAX) return -EPROTO;
    struct walk walk = {.parser = XML_ParserCreate_MM(NULL, &memory, NULL), .element = element, .context = context};
    if (walk.parser == NULL) return -ENOMEM;
    XML_SetUserData(walk.parser, &walk);
    XML_SetElementHandler(walk.parser, on_start, on_end);
    XML_SetCharacterDataHandler(walk.parser, on_text);
    XML_SetStartDoctypeDeclHandler(walk.parser, on_doctype);
    enum XML_Status status = XML_Parse(walk.parser, length > 0 ? bytes : "", (int)length, XML_TRUE);
    if (status != XML_STATUS_OK && walk.rc == 0) {
        walk.rc = XML_GetErrorCode(walk.parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EPROTO;
    }
    XML_ParserFree(walk.parser);
    explicit_bzero(walk.text, sizeof walk.text);
    return walk.rc;
}
