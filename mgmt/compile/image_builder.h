/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes route images (abi/image.h): interns strings, grows tries, sorts matches by precedence,
 * fills hash tables, computes checksums. Knows the format and nothing of Kubernetes; compile.c, the
 * simulator and tests use it. The same calls give the same bytes.
 *
 * An order of calls: interfaces, addresses, egress; listeners and binds; then for each route, the
 * most preferred first: route, its rules in their order (each with filters, backends (and theirs)
 * and matches right behind it), and then the listeners and hostnames that it serves.
 *
 *   struct image_builder *b = image_builder_new();
 *   uint32_t listener = image_builder_listener(b, "ns/gw/http", "", IMAGE_PROTOCOL_HTTP, 80);
 *   image_builder_bind(b, &vip, 80, listener);
 *   image_builder_route(b, "ns/route", created_s);
 *   image_builder_rule(b, 0);
 *   image_builder_backend(b, "ns/svc:80", group, 1);
 *   image_builder_match(b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX, .path =
 * "/"}); image_builder_attach(b, listener, "www.example.com"); int error = image_builder_finish(b,
 * generation, &data, &len);
 *
 * Two kinds of failure. What image_check() would refuse is refused here by -EINVAL (or IMAGE_NONE
 * for an index) without any trace in the image: the caller goes on with the next object. So is one
 * interface, address or egress route too many, by -ENOSPC. Another limit or the lack of memory is
 * final: every later call gives it, and so does finish.
 *
 * Owner: the caller. Thread: any, one at a time. Cost: finish sorts, all else is amortized O(1) in
 * the number of objects. Strings are copied.
 */
#pragma once

#include "abi/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_builder;

struct image_pair {
    const char *name;
    const char *value;
    bool is_regex; /* `value` is a pattern */
};

/* What a request must have; see struct image_match. */
struct image_match_spec {
    enum image_path_kind path_kind;
    const char
        *path; /* begins with '/', in the form that requests are matched in; REGEX: a pattern */
    const char *method;               /* NULL: any */
    const struct image_pair *headers; /* each name once; any case */
    uint32_t n_headers;
    const struct image_pair *queries; /* each name once; decoded */
    uint32_t n_queries;
    uint16_t index; /* place in the rule's list */
};

struct image_header_op_spec {
    enum image_header_op_kind kind;
    const char *name;
    const char *value; /* NULL with REMOVE */
};

struct image_redirect_spec {
    const char *hostname; /* NULL: the request's */
    const char *path;     /* NULL with KEEP */
    enum image_path_edit path_edit;
    enum image_scheme scheme;
    uint16_t status;
    uint16_t port; /* 0: see struct image_redirect */
};

/* When a request is sent once more; see struct image_retry. */
struct image_retry_spec {
    uint32_t attempts;
    uint32_t backoff_ms;
    const uint16_t *codes; /* each 400 to 599 */
    uint32_t n_codes;
};

/* Sessions of a rule's requests; see struct image_persistence. */
struct image_persistence_spec {
    enum image_session_kind kind;
    const char *name;
    const char *path; /* of the cookie; NULL with HEADER */
    uint32_t lifetime_s;
    bool is_permanent;
    uint64_t token_key[2];
    uint64_t seal_key[2];
};

struct image_rewrite_spec {
    const char *hostname; /* NULL: keep */
    const char *path;     /* NULL with KEEP */
    enum image_path_edit path_edit;
};

/* What scripts of other origins may do; see struct image_cors. */
struct image_cors_spec {
    const char *const *origins; /* HTTPCORSFilter.allowOrigins; "*" alone: all */
    uint32_t n_origins;
    bool has_credentials;
    const char *methods; /* values of the fields, names with commas between; NULL: none; "*": all */
    const char *headers;
    const char *exposed;
    uint32_t max_age_s;
};

/* How many requests of each key a rule takes; see struct image_limit. */
struct image_limit_spec {
    uint64_t id;
    const char *name;
    enum image_limit_key key;
    const char *header; /* lower case; NULL but with HEADER */
    uint8_t prefix4_len;
    uint8_t prefix6_len;
    uint32_t requests;
    uint32_t burst;
    uint32_t period_ms;
};

/* When endpoints of a group get no requests; see struct image_health. */
struct image_health_spec {
    struct image_health numbers; /* without group and strings */
    const char *name;
    const char *host;    /* NULL: the address, or the check has none */
    const char *path;    /* NULL but with HTTP */
    const char *service; /* NULL but with GRPC */
};

struct image_san_spec {
    enum image_san_kind kind;
    const char *text;
};

/* How connections to endpoints of a group are secured; see struct image_backend_tls. */
struct image_backend_tls_spec {
    uint64_t id[2];
    const char *name;
    const char *server_name;
    const struct image_san_spec *sans;
    uint32_t n_sans;
    struct keys_id bundle;
    const char *bundle_name;
};

struct image_user_spec {
    const char *name;
    const char *hash;
};

/* Who may ask with a name and password; see struct image_basic. */
struct image_basic_spec {
    uint64_t id[2];
    const char *realm;
    bool hides_authorization;
    const struct image_user_spec *users; /* sorted by image_user_order(), each once */
    uint32_t n_users;
};

/* A key that tokens may be signed with; see struct image_jwt_key. */
struct image_jwt_key_spec {
    const char *kid; /* NULL: none */
    struct slice spki;
    uint32_t algs;
};

/* Who may ask with a token; see struct image_jwt. */
struct image_jwt_spec {
    uint64_t id[2];
    const char *realm;
    const char *issuer;
    bool hides_authorization;
    const char *const *audiences;
    uint32_t n_audiences;
    const struct image_jwt_key_spec *keys;
    uint32_t n_keys;
};

/* Whose requests a rule takes; see struct image_access. The ranges are in any order and may
 * overlap; one of IPv6 means no IPv4 address. */
struct image_access_spec {
    const char *name; /* two of the same name are the same */
    const struct image_range *allowed;
    const struct image_range *denied;
    uint32_t n_allowed; /* 0: all that are not denied */
    uint32_t n_denied;
    const struct image_basic_spec *basic; /* NULL: nobody is asked for a password */
    const struct image_jwt_spec *jwt;     /* NULL: nobody is asked for a token; never both */
};

/*
 * Compiles patterns to a database as route/pattern.h loads it. `*ret_bytes` stays the compiler's,
 * as long as the builder lives, and is the same for the same patterns. -EINVAL: one is no pattern,
 * or all together are too much; -ENOMEM.
 */
typedef int (*image_compile_fn)(void *arg, const struct slice *patterns, uint32_t n,
                                const void **ret_bytes, size_t *ret_len);

/* An empty builder; NULL: no memory. */
struct image_builder *image_builder_new(void);

/* Who compiles patterns. Without, matches that have one are refused. */
void image_builder_set_compiler(struct image_builder *b, image_compile_fn compile, void *arg);

/* Frees it; NULL is fine. */
void image_builder_free(struct image_builder *b);

/* An L3 interface; its index, or IMAGE_NONE. */
uint32_t image_builder_interface(struct image_builder *b, const char *name, uint16_t port,
                                 uint16_t vlan, uint16_t mtu);

/* The VIPs of an interface are the master's of this virtual router (VRRP); 0: ours. */
void image_builder_virtual_router(struct image_builder *b, uint32_t interface, uint8_t id);

/* The box on the interface's link that is drained; zero: none. -EINVAL: not an IPv4 host. */
int image_builder_drained(struct image_builder *b, uint32_t interface, const struct ip_addr *box);

/* A local address. One that is there already is refused by -EEXIST. */
int image_builder_address(struct image_builder *b, const struct image_address *address);

/* An egress route. Bits after the prefix length must be zero. */
int image_builder_egress(struct image_builder *b, const struct image_egress *egress);

/* A listener for a hostname ("" or NULL: all; "*.example.com"), not bound yet; its index, or
 * IMAGE_NONE. */
uint32_t image_builder_listener(struct image_builder *b, const char *name, const char *hostname,
                                enum image_protocol protocol, uint16_t port);

/* A certificate of the listener made last, which is HTTPS; `name` is its Secret's. -ENOSPC: it has
 * as many as it can. */
int image_builder_identity(struct image_builder *b, const struct keys_id *id, const char *name);

/* The CAs that clients of the listener made last, which is HTTPS, are verified by, once; `names`
 * are those of their ConfigMaps. Two of the same id are the same. `auth` is not NONE. */
int image_builder_client_auth(struct image_builder *b, enum image_client_auth auth,
                              const struct keys_id *id, const char *names);

/* The certificate by which we are known to backends who ask, where requests come by the listener
 * made last; `name` is its Secret's. */
int image_builder_client_identity(struct image_builder *b, const struct keys_id *id,
                                  const char *name);

/* Listens on an address and port, besides what listens there already. -EEXIST: a listener of the
 * same hostname does. -EPROTO: one of another protocol does. */
int image_builder_bind(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                       uint32_t listener);

/* Clients that are told from others, not listed yet; the set's index, or IMAGE_NONE. */
uint32_t image_builder_client_set(struct image_builder *b, const char *name);

/* One of them. They come sorted by address, each once. -ENOSPC: there are IMAGE_CLIENTS_MAX. */
int image_builder_client(struct image_builder *b, const struct ip_addr *addr, uint32_t set);

/* Where somebody may listen. */
struct image_place {
    struct ip_addr addr;
    uint16_t port;
    uint32_t set;    /* of clients, for whom alone it is; IMAGE_NONE: for all others */
    bool is_service; /* see struct image_bind */
};

/* The same as image_builder_bind() for such a place. What follows of a bind's settings is said of
 * everybody's alone. -ENOENT: everybody's is not there yet. */
int image_builder_bind_at(struct image_builder *b, const struct image_place *place,
                          uint32_t listener);

/* What connections that come in at the bind are sent with, Cubic unless said. -ENOENT: nothing
 * listens there. */
int image_builder_bind_congestion(struct image_builder *b, const struct ip_addr *addr,
                                  uint16_t port, enum image_congestion congestion);

/* A list stands before what listens on an address and port, or (port 0) before the address, which
 * is a VIP: see struct image_gate. It has neither passwords nor tokens. What nobody listens on is
 * left out. */
int image_builder_gate(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                       bool is_udp, const struct image_access_spec *spec);

struct image_conn_limit_spec {
    const char *name; /* two of the same name are the same */
    uint32_t conns_max;
    uint32_t client_conns_max; /* see struct image_conn_limit */
};

/* How many connections and flows may be open at what listens on an address and port; the first one
 * of a bind holds. -ENOENT: nobody listens there. */
int image_builder_bind_limit(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                             bool is_udp, const struct image_conn_limit_spec *spec);

/* What connections to a group's endpoints are sent with, before or after its backends. */
int image_builder_group_congestion(struct image_builder *b, uint32_t group,
                                   enum image_congestion congestion);

struct image_balance_spec {
    enum image_balancing way;
    enum image_hash_key hash_key; /* MAGLEV; else NONE */
    const char *name;             /* HEADER, lower case, and COOKIE; else NULL */
};

/* Which of a group's endpoints is next, LEAST unless said, before or after its backends. */
int image_builder_group_balancing(struct image_builder *b, uint32_t group,
                                  const struct image_balance_spec *spec);

/* How connections to a group's endpoints are secured, before or after its backends. -EEXIST: it has
 * been said. */
int image_builder_group_tls(struct image_builder *b, uint32_t group,
                            const struct image_backend_tls_spec *spec);

/* The health policy of a group, before or after its backends. -EEXIST: it has one. */
int image_builder_group_health(struct image_builder *b, uint32_t group,
                               const struct image_health_spec *spec);

/* Each connection that comes in at the bind has to begin with a PROXY protocol header, and to come
 * from one of these (n 0: from anywhere). Said again, it stays as it was. -ENOENT: nothing listens
 * there. */
int image_builder_bind_proxied(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                               const struct image_prefix *trusted, uint32_t n);

/* What connections to a group's endpoints begin with, nothing unless said, before or after its
 * backends. */
int image_builder_group_proxy_header(struct image_builder *b, uint32_t group,
                                     enum image_proxy_header header);

/* How what comes by TCPRoute and UDPRoute gets to a group's endpoints: by PROXY unless said, before
 * or after its backends, and by PROXY whatever is said where its connections have a header or TLS.
 */
int image_builder_group_forwarding(struct image_builder *b, uint32_t group,
                                   enum image_forwarding forwarding);

/* How long what is passed on to a group's endpoints may be silent (0: as usual), before or after
 * its backends. */
int image_builder_group_idle(struct image_builder *b, uint32_t group, uint32_t idle_ms);

/* What is spoken to a group's endpoints, HTTP1 unless said, before or after its backends. */
int image_builder_group_protocol(struct image_builder *b, uint32_t group,
                                 enum image_backend_protocol protocol);

/* Begins a route. -EINVAL also when it does not come after the one before it in precedence. */
int image_builder_route(struct image_builder *b, const char *name, int64_t created_s);

/* The same of another kind than HTTPRoute. GRPC: its matches take calls of gRPC only, and `method`
 * of a match is the one that is called, the last segment of the path. TLS, TCP, UDP: each rule has
 * one match, the prefix "/". */
int image_builder_route_of(struct image_builder *b, enum image_route_kind kind, const char *name,
                           int64_t created_s);

/* Begins a rule of the route begun last; indices grow. Its index in the image, or IMAGE_NONE. */
uint32_t image_builder_rule(struct image_builder *b, uint16_t index);

/* The rule begun last cannot be carried out as written: it answers 500. */
int image_builder_rule_fault(struct image_builder *b);

/* Time limits of the rule begun last; 0: none. */
int image_builder_timeouts(struct image_builder *b, uint32_t request_ms,
                           uint32_t backend_request_ms);

/* The retry policy of the rule begun last, once. */
int image_builder_retry(struct image_builder *b, const struct image_retry_spec *spec);

/* What keeps the sessions of the rule begun last at their endpoints, once. */
int image_builder_persistence(struct image_builder *b, const struct image_persistence_spec *spec);

/* A backend of the rule begun last. `group` IMAGE_NONE: its share is answered 500. */
int image_builder_backend(struct image_builder *b, const char *name, uint32_t group,
                          uint32_t weight);

/* The same as image_builder_headers() for the backend added last; after the rule's filters. */
int image_builder_backend_headers(struct image_builder *b, enum image_filter_type type,
                                  const struct image_header_op_spec *ops, uint32_t n_ops);

/* Filters of the rule begun last, in the order of the calls. `type` is one of the two that change
 * headers. Refused whole or added whole; no operations: nothing is added. */
int image_builder_headers(struct image_builder *b, enum image_filter_type type,
                          const struct image_header_op_spec *ops, uint32_t n_ops);

/* A redirect as a filter of the rule begun last. */
int image_builder_redirect(struct image_builder *b, const struct image_redirect_spec *spec);

/* A rewrite as a filter of the rule begun last. */
int image_builder_rewrite(struct image_builder *b, const struct image_rewrite_spec *spec);

/* CORS as a filter of the rule begun last. Refused whole or added whole. */
int image_builder_cors(struct image_builder *b, const struct image_cors_spec *spec);

/* One more backend for numerator of denominator requests, as a filter of the rule begun last; there
 * may be several. */
int image_builder_mirror(struct image_builder *b, const char *name, uint32_t group,
                         uint32_t numerator, uint32_t denominator);

/* A rate limit as a filter of the rule begun last; there may be several. Refused whole or added. */
int image_builder_limit(struct image_builder *b, const struct image_limit_spec *spec);

/* An AccessPolicy as a filter of the rule begun last; there may be several. Refused whole or
 * added. */
int image_builder_access(struct image_builder *b, const struct image_access_spec *spec);

/* A match of the rule begun last; after its filters. Refused whole or added whole. */
int image_builder_match(struct image_builder *b, const struct image_match_spec *spec);

/* All matches that the route begun last has by now serve this hostname of the listener ("" or NULL:
 * all). Twice the same: -EEXIST. */
int image_builder_attach(struct image_builder *b, uint32_t listener, const char *hostname);

/* The finished image of `generation` (not 0), `*ret_len` bytes, to be freed by free(). The builder
 * stays and can be finished again. -E2BIG: beyond a limit of the format. */
int image_builder_finish(struct image_builder *b, uint64_t generation, void **ret_data,
                         size_t *ret_len);
