/* SPDX-License-Identifier: Apache-2.0 */
/* Request and response heads: whatever is accepted keeps inside of the bytes and has no line ends
 * in it. */
#include "base/assert.h"
#include "fuzz.h"
#include "http/http.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const seeds[] = {
    "GET /a/../b%20c?d=e HTTP/1.1\r\nHost: Foo.Example.com:80\r\nAccept: */*\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: [2001:db8::1]\r\nTransfer-Encoding: chunked\r\nConnection: a, "
    "close\r\n\r\n",
    "PUT http://a.example/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 12\r\nExpect: "
    "100-continue\r\n\r\n",
    "OPTIONS * HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: "
    "websocket\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nX:\t y \r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "HTTP/1.1 304 \r\nTransfer-Encoding: gzip, chunked\r\nDate: now\r\n\r\n",
};

/* No text of an accepted head may hold a line end: it would become two lines on the next hop. */
static void check_text(struct slice s)
{
    ASSERT(s.len == 0 ||
           (memchr(s.ptr, '\r', s.len) == NULL && memchr(s.ptr, '\n', s.len) == NULL));
}

/* Whoever asks for WebSocket has no content, and a key that goes on. */
static void check_handshake(const struct http_head *head)
{
    struct slice key;
    if (head->status != 0 || !http_asks_websocket(head, &key))
        return;
    ASSERT(head->method == HTTP_GET && head->body == HTTP_BODY_NONE && key.len == 24);
    ASSERT(head->is_keep_alive && head->version_minor == 1);
}

static void check_head(const struct http_head *head)
{
    check_handshake(head);
    check_text(head->host);
    check_text(head->path);
    check_text(head->query);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        ASSERT(head->fields[i].name.len > 0);
        check_text(head->fields[i].name);
        check_text(head->fields[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    for (int kind = 0; kind < 3; kind++) {
        uint8_t *bytes = malloc(size + 4);
        ASSERT(bytes != NULL);
        memcpy(bytes, data, size);
        memcpy(bytes + size, "\r\n\r\n", 4);
        /* as h1_head_read() does: up to the first empty line */
        const uint8_t *end = memmem(bytes, size + 4, "\r\n\r\n", 4);
        size_t len = (size_t)(end - bytes) + 4;
        enum http_fault fault = kind == 0 ? http_parse_request(bytes, len, &head)
                                          : http_parse_response(bytes, len, kind == 2, &head);
        if (fault == HTTP_FAULT_none)
            check_head(&head);
        free(bytes);
    }
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    size_t len = strlen(seeds[n]);
    memcpy(ret, seeds[n], len);
    return len;
}
