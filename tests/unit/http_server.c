/* A server inside a test; see http_server.h. */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void server_init(struct server *server) {
    memset(server, 0, sizeof *server);
    for (int i = 0; i < SERVER_CONNECTIONS; i++) server->connections[i].fd = -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, SERVER_CONNECTIONS), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
}

static void close_connection(struct server_connection *connection) {
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    connection->length = 0;
}

void server_deinit(struct server *server) {
    for (int i = 0; i < SERVER_CONNECTIONS; i++) close_connection(&server->connections[i]);
    if (server->listener >= 0) close(server->listener);
    server->listener = -1;
}

size_t server_pollfds(const struct server *server, struct pollfd *fds) {
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = server->listener, .events = POLLIN};
    for (int i = 0; i < SERVER_CONNECTIONS; i++) {
        if (server->connections[i].fd >= 0)
            fds[count++] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
    }
    return count;
}

static void accept_all(struct server *server) {
    for (int fd; (fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        int i = 0;
        while (i < SERVER_CONNECTIONS && server->connections[i].fd >= 0) i++;
        assert_true(i < SERVER_CONNECTIONS);
        server->connections[i] = (struct server_connection){.fd = fd, .number = server->opened++};
    }
}

/* The length of the first whole request in connection, or 0. */
static size_t whole_request(const struct server_connection *connection) {
    const char *end = strstr(connection->bytes, "\r\n\r\n");
    if (end == NULL) return 0;
    size_t head = (size_t)(end - connection->bytes) + 4;
    const char *field = strcasestr(connection->bytes, "\r\nContent-Length:");
    size_t body = field != NULL && field < end ? (size_t)atoi(field + strlen("\r\nContent-Length:")) : 0;
    return connection->length >= head + body ? head + body : 0;
}

static void take_requests(struct server *server, struct server_connection *connection) {
    for (size_t length; (length = whole_request(connection)) > 0;) {
        assert_true(server->count < SERVER_REQUESTS);
        struct server_request *request = &server->requests[server->count++];
        request->connection = connection->number;
        request->answered = false;
        memcpy(request->text, connection->bytes, length);
        connection->length -= length;
        memmove(connection->bytes, connection->bytes + length, connection->length + 1);
    }
}

void server_step(struct server *server) {
    accept_all(server);
    for (int i = 0; i < SERVER_CONNECTIONS; i++) {
        struct server_connection *connection = &server->connections[i];
        if (connection->fd < 0) continue;
        size_t room = sizeof connection->bytes - connection->length - 1;
        ssize_t count = recv(connection->fd, connection->bytes + connection->length, room, 0);
        if (count == 0 || (count < 0 && errno != EAGAIN)) close_connection(connection);
        if (count <= 0) continue;
        connection->length += (size_t)count;
        connection->bytes[connection->length] = '\0';
        take_requests(server, connection);
    }
}

struct server_request *server_pending(struct server *server) {
    for (int i = 0; i < server->count; i++) {
        if (!server->requests[i].answered) return &server->requests[i];
    }
    return NULL;
}

static struct server_connection *connection_of(struct server *server, const struct server_request *request) {
    for (int i = 0; i < SERVER_CONNECTIONS; i++) {
        struct server_connection *connection = &server->connections[i];
        if (connection->fd >= 0 && connection->number == request->connection) return connection;
    }
    return NULL;
}

void server_send(struct server *server, struct server_request *request, const char *bytes, size_t length) {
    struct server_connection *connection = connection_of(server, request);
    assert_non_null(connection);
    request->answered = true;
    while (length > 0) {
        ssize_t count = send(connection->fd, bytes, length, MSG_NOSIGNAL);
        if (count < 0) return; /* the client left, or its buffers are full: as a real one would see */
        bytes += count;
        length -= (size_t)count;
    }
}

void server_answer(struct server *server, struct server_request *request, const char *status, const char *headers,
                   const char *body) {
    char *text = NULL;
    int length = asprintf(&text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), headers, body);
    assert_true(length > 0);
    server_send(server, request, text, (size_t)length);
    free(text);
}

void server_hang_up(struct server *server, struct server_request *request) {
    struct server_connection *connection = connection_of(server, request);
    request->answered = true;
    if (connection != NULL) close_connection(connection);
}

bool server_is_left(struct server *server, const struct server_request *request) {
    server_step(server);
    return connection_of(server, request) == NULL;
}
