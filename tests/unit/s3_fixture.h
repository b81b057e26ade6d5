/* What the tests of the S3 store share: a store in front of a server of the test's own, and S3's XML. */
#ifndef S3_FIXTURE_H
#define S3_FIXTURE_H

#include "base/clock.h"
#include "http_server.h"
#include "s3/config.h"
#include "store/store.h"

#define FOLDER "locks/leader/"
#define DATE   "Date: Mon, 23 Nov 2026 22:01:41 GMT\r\n"
#define AT     "2026-11-23T22:01:40.500Z"
#define AT_MS  (INT64_C(1795471300500))

struct fixture {
    struct server server;
    struct s3_config config;
    struct store *store;
    unsigned next_id;
};

/* For cmocka_unit_test_setup_teardown(). */
int setup(void **state);
int teardown(void **state);

/* (Re)opens f->store by f->config. */
void open_store(struct fixture *f);

/* Lets client and server go on for a moment. */
void turn(struct fixture *f);

/* Submits a request; returns its id. */
unsigned submit(struct fixture *f, int lane, enum log_op op, int64_t seq, const char *body);

/* The next request that reaches the server unanswered. */
struct server_request *await_request(struct fixture *f);

/* The next answer of the store, which never holds the secret key. */
struct log_answer await_answer(struct fixture *f);

/* Submits in lane 0, has the server say status, headers and body, returns the answer. */
struct log_answer ask(struct fixture *f, enum log_op op, int64_t seq, const char *status, const char *headers,
                      const char *body);

void assert_line(const char *request, const char *line);

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define ERROR(code)                                                                                                    \
    "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>m</Message><RequestId>r-1</RequestId></Error>"
#define LIST(truncated, contents) LIST_OF(FOLDER, truncated, contents)
#define LIST_OF(prefix, truncated, contents)                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"   \
    "<Name>b</Name><Prefix>" prefix "</Prefix><IsTruncated>" truncated                                                 \
    "</IsTruncated><EncodingType>url</EncodingType>" contents "</ListBucketResult>"
#define OBJECT(key, size, at)                                                                                          \
    "<Contents><Key>" key "</Key><LastModified>" at "</LastModified><Size>" size "</Size></Contents>"
#define SLOT(name, size) OBJECT("locks%2Fleader%2F" name, size, AT)

#endif
