/* Packets between keeper and guard: only a packet of the right size is a message, its text ends, and the end of the
 * other side is told as such. An input is packets: a byte for the length's difference from a message's, then bytes. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "process/message.h"

#define PACKETS_MOST 16
#define PACKET_MOST  (sizeof(struct message) + 256)

static void check_packet(int sender, int receiver, struct fuzz_input *input) {
    uint8_t packet[PACKET_MOST];
    struct message message;
    int difference = (int8_t)fuzz_byte(input);
    size_t length = (size_t)((int64_t)sizeof message + difference);
    for (size_t i = 0; i < length; i++) packet[i] = fuzz_byte(input);
    CHECK(send(sender, packet, length, MSG_DONTWAIT) == (ssize_t)length, "a packet is sent");
    memset(&message, 0xff, sizeof message);
    int got = message_receive(receiver, &message);
    if (length == sizeof message) {
        CHECK(got == 1, "a packet of a message's size is one");
        CHECK(memchr(message.text, '\0', sizeof message.text) != NULL, "a message's text ends");
        CHECK(memcmp(&message, packet, offsetof(struct message, text)) == 0, "it is what was sent");
    } else {
        CHECK(got == -EPROTO, "a packet of another size is refused");
    }
    CHECK(message_receive(receiver, &message) == 0, "a packet is read once");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct message message;
    int fds[2];
    CHECK(message_pair(fds) == 0 && fds[0] > 2 && fds[1] > 2, "a pair is made that spares stdin, stdout and stderr");
    for (int i = 0; i < PACKETS_MOST && input.left > 0; i++) check_packet(fds[i & 1], fds[1 - (i & 1)], &input);
    memset(&message, 0, sizeof message);
    CHECK(message_send(fds[0], &message) == 0 && close(fds[0]) == 0, "a message is sent");
    CHECK(message_receive(fds[1], &message) == 1, "what was sent before the end is read");
    CHECK(message_receive(fds[1], &message) == -EPIPE, "then the end shows");
    CHECK(message_send(fds[1], &message) < 0, "nothing can be sent to nobody");
    (void)close(fds[1]);
    return 0;
}
