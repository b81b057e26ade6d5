/* Messages: whatever the other end sends, and whatever the kernel answers. */
#include <string.h>

#include "any.h"
#include "process/message.h"

int main(void) {
    struct message message, out = {.type = MESSAGE_NOTE};
    int fds[2], fd = any_int(0, 1023);
    Frama_C_make_unknown((char *)&message, sizeof message);
    if (message_receive(fd, &message) == 1) (void)strlen(message.text);
    int sent = message_send(fd, &out);
    //@ check an_errno: -133 <= sent <= 0;
    if (message_pair(fds) == 0) {
        //@ check no_standard_stream: fds[0] >= 3 && fds[1] >= 3;
    }
    return 0;
}
