/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket's handshake (RFC 6455, section 4) as far as it lies in heads: who asks to leave HTTP
 * for it, and who agrees. No other protocol is switched to. What is not exactly as it should be is
 * no such request, and goes on as a plain one: nobody can then take the one for the other. Pure.
 */
#include "base/assert.h"
#include "http/http_chars.h"
#include "http/http_priv.h"

enum { KEY_BYTES = 24 }; /* base64 of 16 bytes */

/* The value of the only field of that name, if Connection does not take it off the way. */
static bool find_end_to_end(const struct http_head *head, struct slice name, struct slice *ret)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->is_hop[i] && slice_eq_nocase(head->fields[i].name, name))
            return false;
    }
    return http_head_find_only(head, name, ret);
}

/* Connection: upgrade, Upgrade: websocket, and nothing besides. */
static bool names_websocket(const struct http_head *head)
{
    struct slice v;
    return head->is_upgrade_asked && head->is_upgrade_named && head->is_keep_alive &&
           head->version_minor > 0 && head->body == HTTP_BODY_NONE &&
           http_head_find_only(head, SLICE_LIT("upgrade"), &v) &&
           slice_eq_nocase(v, SLICE_LIT("websocket"));
}

static bool is_key(struct slice v)
{
    if (v.len != KEY_BYTES || v.ptr[KEY_BYTES - 1] != '=' || v.ptr[KEY_BYTES - 2] != '=')
        return false;
    for (size_t i = 0; i < KEY_BYTES - 2; i++) {
        uint8_t c = v.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '+' && c != '/')
            return false;
    }
    return true;
}

bool http_asks_websocket(const struct http_head *head, struct slice *ret_key)
{
    struct slice version;
    struct slice key;
    if (!names_websocket(head) || head->method != HTTP_GET || head->is_expecting_continue ||
        !find_end_to_end(head, SLICE_LIT("sec-websocket-version"), &version) ||
        !slice_eq(version, SLICE_LIT("13")) ||
        !find_end_to_end(head, SLICE_LIT("sec-websocket-key"), &key) || !is_key(key))
        return false;
    *ret_key = key;
    return true;
}

bool http_agrees_to_websocket(const struct http_head *head, struct slice accept)
{
    struct slice said;
    ASSERT(head->status == 101);
    return names_websocket(head) &&
           find_end_to_end(head, SLICE_LIT("sec-websocket-accept"), &said) &&
           slice_eq(said, accept);
}
