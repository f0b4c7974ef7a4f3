/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of session persistence. Name and path go into messages, so they are held to more than
 * being text: a name that frames a message would break it, a semicolon in a path would begin the
 * cookie's next attribute.
 */
#include "abi/image_check.h"

static bool has_prefix_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_eq_nocase(slice_of(s.ptr, prefix.len), prefix);
}

/* RFC 6265bis, section 4.1.3: browsers throw these away unless they came over TLS. */
static bool is_cookie_name(struct slice name)
{
    return !has_prefix_nocase(name, SLICE_LIT("__Secure-")) &&
           !has_prefix_nocase(name, SLICE_LIT("__Host-"));
}

/* Not one that HTTP or we give a meaning. */
static bool is_field_name(struct slice name)
{
    static const char *const taken[] = {"host",      "cookie", "set-cookie", "content-type",
                                        "expect",    "date",   "location",   "authorization",
                                        "forwarded", "via"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (slice_eq_nocase(name, slice_of_str(taken[i])))
            return false;
    }
    return !image_is_framing_field(name) && !has_prefix_nocase(name, SLICE_LIT("x-forwarded-"));
}

bool image_is_session_name(struct slice name, enum image_session_kind kind)
{
    if (name.len == 0 || name.len > IMAGE_SESSION_NAME_BYTES_MAX ||
        !image_is_text(name, IMAGE_TEXT_TOKEN))
        return false;
    return kind == IMAGE_SESSION_COOKIE ? is_cookie_name(name) : is_field_name(name);
}

bool image_is_cookie_path(struct slice path)
{
    return path.len != 0 && path.len <= IMAGE_COOKIE_PATH_BYTES_MAX &&
           image_is_text(path, IMAGE_TEXT_PATH) && memchr(path.ptr, ';', path.len) == NULL;
}

static bool is_key(const uint64_t key[2])
{
    return (key[0] | key[1]) != 0;
}

enum image_fault image_local_persistence(const struct image_view *v, uint32_t i)
{
    const struct image_persistence *e = &v->persistence[i];
    if ((e->reserved[0] | e->reserved[1]) != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->kind != IMAGE_SESSION_COOKIE && e->kind != IMAGE_SESSION_HEADER)
        return IMAGE_FAULT_VALUE;
    bool is_cookie = e->kind == IMAGE_SESSION_COOKIE;
    if (e->is_permanent > 1 || (e->is_permanent == 1 && (!is_cookie || e->lifetime_s == 0)))
        return IMAGE_FAULT_VALUE;
    if (!is_key(e->token_key) || !is_key(e->seal_key))
        return IMAGE_FAULT_VALUE;
    enum image_fault fault = image_check_text(v, e->name, IMAGE_TEXT_TOKEN);
    if (fault == IMAGE_FAULT_OK)
        fault = image_check_text(v, e->path, IMAGE_TEXT_PATH);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    bool is_path = is_cookie ? image_is_cookie_path(image_text(v, e->path)) : e->path.length == 0;
    bool is_name = image_is_session_name(image_text(v, e->name), (enum image_session_kind)e->kind);
    return is_path && is_name ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}
