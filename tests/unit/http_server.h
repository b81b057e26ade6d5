/* An HTTP server inside a test: it collects requests and answers when and how the test says, in the test's own thread,
 * between two calls of the client under test. Knows no S3. */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define SERVER_CONNECTIONS  8
#define SERVER_REQUESTS     64
#define SERVER_REQUEST_SIZE 16384

/* One request as it came: first line, headers, empty line, body; zero-terminated. */
struct server_request {
    int connection; /* counts the connections that were opened, from 0 */
    bool answered;
    char text[SERVER_REQUEST_SIZE];
};

struct server_connection {
    int fd; /* -1: closed */
    int number;
    size_t length;
    char bytes[SERVER_REQUEST_SIZE];
};

struct server {
    int listener;
    int port;
    int opened; /* connections so far */
    struct server_connection connections[SERVER_CONNECTIONS];
    int count; /* requests so far */
    struct server_request requests[SERVER_REQUESTS];
};

/* Listens on a free port of 127.0.0.1. Fails the test where it can't. */
void server_init(struct server *server);
void server_deinit(struct server *server);

/* Writes the descriptors to watch into fds[SERVER_CONNECTIONS + 1]. Returns how many. */
size_t server_pollfds(const struct server *server, struct pollfd *fds);

/* Accepts and reads whatever has come, without waiting. */
void server_step(struct server *server);

/* The oldest request not answered yet, or NULL. */
struct server_request *server_pending(struct server *server);

/* Sends length bytes as they are; the request counts as answered. */
void server_send(struct server *server, struct server_request *request, const char *bytes, size_t length);

/* Sends an answer with a Content-Length. headers: "Name: value\r\n" lines, or "". */
void server_answer(struct server *server, struct server_request *request, const char *status, const char *headers,
                   const char *body);

/* Closes the connection that request came on. */
void server_hang_up(struct server *server, struct server_request *request);

/* Whether the client has closed the connection that request came on, or is gone otherwise. */
bool server_is_left(struct server *server, const struct server_request *request);

#endif
