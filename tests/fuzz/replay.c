/* Runs a target over committed inputs, without a fuzzer and with any compiler, so that what was once found stays
 * mended: replay-NAME FOLDER Fails where FOLDER holds no input: then nothing would be tested. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX (1024 * 1024)

static void run(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *room = malloc(INPUT_MAX);
    CHECK(file != NULL && room != NULL, "the input can be opened");
    size_t size = fread(room, 1, INPUT_MAX, file);
    CHECK(!ferror(file), "the input can be read");
    (void)fclose(file);
    uint8_t *data = malloc(size > 0 ? size : 1); /* its own memory, so that a read past its end shows */
    CHECK(data != NULL, "there is memory for the input");
    if (size > 0) memcpy(data, room, size);
    free(room);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

int main(int argc, char **argv) {
    size_t count = 0;
    if (argc != 2) return 2;
    DIR *folder = opendir(argv[1]);
    CHECK(folder != NULL, "the folder of inputs can be opened");
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        int length = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        CHECK(length > 0 && (size_t)length < sizeof path, "the input's path isn't too long");
        (void)fprintf(stderr, "%s\n", path); /* the last one is the culprit */
        run(path);
        count++;
    }
    (void)closedir(folder);
    CHECK(count > 0, "there are inputs");
    return 0;
}
