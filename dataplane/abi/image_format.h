/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 1a, the route image: everything a worker needs to know of the configuration, as one
 * contiguous, position-independent, read-only range of bytes. mgmtd writes it (image_builder), the
 * dataplane's housekeeping core checks it whole (image_check) before a worker sees it, workers and
 * `explain` read it through struct image_view. This header is the bytes, image.h what can be done
 * with them. Host byte order: both ends are one box. A length or offset is 32 bits; an index counts
 * entries of the section it points into; IMAGE_NONE is no index.
 *
 *   OFFSET            SIZE              DESCRIPTION
 *   0                 64                struct image_header
 *   64                n_sections * 16   struct image_section: all sections, in the order of
 *                                       IMAGE_SECTION_LIST, each once, empty or not
 *   first multiple    count *           the first section's entries; the next section begins at the
 *   of 8 after that   entry_size        first multiple of 8 after it, and so on (where entries are
 *                                       halves of cache lines: of 64); gaps are zero; the image
 *                                       ends where the last section ends, rounded up to 8
 *
 * struct image_header
 *   0    4   magic               "SLIM"
 *   4    4   version             of this format: IMAGE_VERSION, any other is refused
 *   8    8   generation          grows with each publication; at least 1
 *   16   8   length              of the whole image in bytes
 *   24   8   checksum            of everything but this field
 *   32   8   content_checksum    of everything but generation and both checksums: the same
 *                                configuration has the same, whenever it was published
 *   40   8   hash_seed           of all hash tables in the image
 *   48   4   n_sections          IMAGE_SECTION_COUNT
 *   52   4   path_ahead          segments of a path that are asked for at once: as many as the
 *                                configured paths have, on average; IMAGE_PATH_AHEAD_MAX at most
 *   56   8   reserved            zero
 *
 * struct image_section
 *   0    4   type                enum image_section_type; an unknown one is refused
 *   4    4   entry_size          bytes of one entry; must be ours
 *   8    4   offset              from the beginning of the image
 *   12   4   count               entries
 *
 * How a request finds its rule:
 *
 *   local address, port --bind_slots--> bind --root--> trie of listener hostnames --> listener
 *   bind, client --clients, choices--> bind, where some clients have their own
 *   listener --root--> trie of route hostnames --> host --root--> trie of paths --> path
 *   path --> its matches in order of precedence --> rule --> filters, backends
 *
 * All three tries are one structure (struct image_node), in one hash table: a node is found by one
 * probe for (parent, label). A label is a part between dots, from the last to the first, or a path
 * segment. So a lookup costs a probe a label, whatever the number of routes, and one walk finds the
 * exact entry and, on the way, every wildcard or prefix that holds. A large table lies in no near
 * cache, so what nearly every request needs of a node is half a cache line that says all (the rest
 * lies elsewhere and takes no room in the caches), the first two places of a node are one line, and
 * where it lies is known before its parent was seen: its hash begins with its parent's hash, and
 * that of a host's trie of paths with that of the host's node. So all lines of a request are asked
 * for at once, and come together.
 *
 * A path with many matches has guards, so that not all of them need to be asked: a guard is a
 * question to the request ("which method?", "what is header x?"), and each match hangs on one
 * answer to one guard, which it needs in order to hold:
 *
 *   path --> its guards --(guard, the request's answer)--guard_slots--> answer --> answer_matches
 *
 * Regular expressions ("patterns") are compiled by whoever writes the image. Those of paths hang
 * on the node that their first literal segments lead to, and what is behind it is compiled, those
 * of a node together, so that one look at the rest of the path tells all that match; those of
 * headers and query parameters are compiled each by itself:
 *
 *   node --> its pattern sets --(database, the path behind the node)--> patterns --> paths
 *   predicate --> its pattern set, of one pattern
 */
#pragma once

#include "abi/keys.h"
#include "base/ip_addr.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAGIC 0x4d494c53u /* "SLIM" */
#define IMAGE_VERSION 10u
#define IMAGE_NONE UINT32_MAX
#define IMAGE_ALIGN 8u /* of the bytes in memory, too; for cache lines and halves it takes 64 */
#define IMAGE_LINE_BYTES 64u

#define IMAGE_BYTES_MAX (256u << 20)        /* an image is mapped twice while it changes */
#define IMAGE_STRING_BYTES_MAX 65536u       /* header values are 4096 at most; paths 1024 */
#define IMAGE_DEPTH_MAX 1024u               /* labels on one way down: a path of 1024 slashes */
#define IMAGE_PATH_AHEAD_MAX 2u             /* most paths need no more, and each costs a hash */
#define IMAGE_PROBES_MAX 32u                /* slots looked at before a key is known to be absent */
#define IMAGE_TRUSTED_PER_BIND_MAX 64u      /* looked at one by one, once a connection */
#define IMAGE_BACKENDS_PER_RULE_MAX 16u     /* Gateway API: backendRefs */
#define IMAGE_FILTERS_PER_RULE_MAX 16u      /* Gateway API: filters */
#define IMAGE_FILTERS_PER_BACKEND_MAX 2u    /* one for requests, one for responses */
#define IMAGE_HEADER_OPS_PER_FILTER_MAX 48u /* Gateway API: 16 each of set, add, remove */
#define IMAGE_PREDICATES_PER_MATCH_MAX 32u  /* Gateway API: 16 headers, 16 query parameters */
#define IMAGE_UNGUARDED_MATCHES_MAX 8u      /* of a path, asked one after the other */
#define IMAGE_ANSWER_BYTES_MAX 1024u       /* of a guarded condition; others are asked one by one */
#define IMAGE_RETRY_ATTEMPTS_MAX 100u      /* time limits end a request long before */
#define IMAGE_MIRRORS_PER_RULE_MAX 16u     /* Gateway API: filters */
#define IMAGE_LIMITS_PER_RULE_MAX 16u      /* Gateway API: filters */
#define IMAGE_ACCESSES_PER_RULE_MAX 16u    /* Gateway API: filters */
#define IMAGE_RANGES_PER_ACCESS_MAX 8193u  /* of a list: 8192 as written; see image_range */
#define IMAGE_CONNS_MAX 10000000u          /* of a limit: more than a box has */
#define IMAGE_USERS_PER_BASIC_MAX 4096u    /* more have accounts elsewhere, and tokens */
#define IMAGE_USER_BYTES_MAX 255u          /* of a name, and of its password */
#define IMAGE_PASSWORD_HASH_BYTES_MAX 127u /* SHA-512 with rounds has 123 */
#define IMAGE_BCRYPT_COST_MAX 14u          /* about a second of a core */
#define IMAGE_SHA_ROUNDS_MAX 1000000u      /* likewise */
#define IMAGE_REALM_BYTES_MAX 128u         /* a sentence */
#define IMAGE_JWT_KEYS_MAX 16u             /* of a policy: an issuer has two or three at a time */
#define IMAGE_JWT_KEY_BYTES_MAX 560u       /* SubjectPublicKeyInfo: RSA of 4096 bits has 550 */
#define IMAGE_JWT_KID_BYTES_MAX 128u       /* a digest in hexadecimal, and some more */
#define IMAGE_JWT_AUDIENCES_MAX 8u         /* of a policy: names of one application */
#define IMAGE_JWT_NAME_BYTES_MAX 255u      /* of an issuer or audience: mostly URLs */
#define IMAGE_LIMIT_REQUESTS_MAX 1000000u  /* in a period or a burst; more is hardly a limit */
#define IMAGE_LIMIT_PERIOD_MS_MIN 1000u    /* what is less says the same by fewer requests */
#define IMAGE_LIMIT_PERIOD_MS_MAX 86400000u /* a day: what lasts longer is a quota, kept on disk */
#define IMAGE_LIMIT_FILL_MS_MAX 31536000000ull /* a year for a burst: in ns it fits 64 bits */
#define IMAGE_ORIGINS_PER_CORS_MAX 64u         /* Gateway API: allowOrigins */
#define IMAGE_CORS_LIST_BYTES_MAX 4096u       /* of what preflights are told: two fit into a head */
#define IMAGE_CORS_EXPOSED_BYTES_MAX 1024u    /* comes on top of what a backend's head may have */
#define IMAGE_WEIGHT_MAX 1000000u             /* Gateway API: weight of a backend */
#define IMAGE_PATTERN_BYTES_MAX 4096u         /* Gateway API: value of a header */
#define IMAGE_PATTERNS_PER_SET_MAX 256u       /* a database of more takes long to compile */
#define IMAGE_PATTERN_DEPTH_MAX 4u            /* so many nodes and the root are asked at most */
#define IMAGE_HEALTH_RANGES_MAX 8u            /* of statuses of a check that passes */
#define IMAGE_HEALTH_MS_MIN 100u              /* what comes more often is load, not a check */
#define IMAGE_HEALTH_MS_MAX 86400000u         /* a day; what rests longer is better taken out */
#define IMAGE_HEALTH_COUNT_MAX 1000u          /* of checks or failures in a row */
#define IMAGE_GRPC_SERVICE_BYTES_MAX 253u     /* as HealthPolicy allows */
#define IMAGE_SERVER_NAME_BYTES_MAX 253u      /* of a host: RFC 1035, section 2.3.4 */
#define IMAGE_IDENTITIES_PER_LISTENER_MAX 64u /* Gateway API: certificateRefs */
#define IMAGE_SANS_PER_TLS_MAX 8u             /* Gateway API: five subjectAltNames */
#define IMAGE_SAN_BYTES_MAX 253u              /* Gateway API: hostname and uri */
#define IMAGE_CLIENTS_MAX (1u << 19)          /* pods of namespaces with routes of their own */
#define IMAGE_SESSION_NAME_BYTES_MAX 128u     /* Gateway API: sessionName */
#define IMAGE_COOKIE_PATH_BYTES_MAX 256u      /* comes on top of what a backend's head may have */

/*
 * X(NAME, member of struct image_view, entry type, most entries, what it holds). The order is the
 * order in the image. An entry may point forward and backward; each is checked.
 */
#define IMAGE_SECTION_LIST(X)                                                                      \
    X(STRINGS, strings, uint8_t, IMAGE_BYTES_MAX, "bytes that the others name; not terminated")    \
    X(INTERFACES, interfaces, struct image_interface, 64, "L3 interfaces")                         \
    X(ADDRESSES, addresses, struct image_address, 16384, "local addresses and VIPs")               \
    X(EGRESS, egress, struct image_egress, 4096, "egress routes")                                  \
    X(BINDS, binds, struct image_bind, 65536, "addresses and ports that are listened on")          \
    X(BIND_SLOTS, bind_slots, uint32_t, 1u << 20, "hash table of binds of everybody")              \
    X(CHOICES, choices, uint32_t, 65536, "binds of some clients, by bind of everybody")            \
    X(CLIENT_SETS, client_sets, struct image_client_set, 65536, "namespaces of clients")           \
    X(CLIENTS, clients, struct image_client, IMAGE_CLIENTS_MAX, "addresses in them")               \
    X(TRUSTED, trusted, struct image_prefix, 1u << 20, "whose PROXY headers binds believe")        \
    X(LISTENERS, listeners, struct image_listener, 65536, "Gateway listeners")                     \
    X(IDENTITIES, identities, struct image_identity, 1u << 17, "certificates and their keys")      \
    X(BUNDLES, bundles, struct image_bundle, 65536, "CAs that peers are verified by")              \
    X(BACKEND_TLS, backend_tls, struct image_backend_tls, 65536, "TLS to endpoint groups")         \
    X(SANS, sans, struct image_san, 1u << 19,                                                      \
      "whose certificates they show, by image_backend_tls")                                        \
    X(NODES, nodes, struct image_node, 1u << 22, "hash table of the nodes of all tries")           \
    X(NODE_RESTS, node_rests, struct image_node_rest, 1u << 22, "the rest of each, by its place")  \
    X(HOSTS, hosts, struct image_host, 1u << 20, "route hostnames of listeners")                   \
    X(PATHS, paths, struct image_path, 1u << 22, "paths of hosts")                                 \
    X(MATCHES, matches, struct image_match, 1u << 22, "conditions of rules, by path")              \
    X(PREDICATES, predicates, struct image_predicate, 1u << 22, "header and query conditions")     \
    X(GUARDS, guards, struct image_guard, 1u << 20, "questions that tell a path's matches apart")  \
    X(GUARD_SLOTS, guard_slots, struct image_slot, 1u << 23, "hash table of guard answers")        \
    X(ANSWERS, answers, struct image_answer, 1u << 22, "answers to guards that lead to matches")   \
    X(ANSWER_MATCHES, answer_matches, uint32_t, 1u << 22, "matches by answer")                     \
    X(RULES, rules, struct image_rule, 1u << 20, "what to do, by route")                           \
    X(RETRIES, retries, struct image_retry, 1u << 20, "retry policies of rules")                   \
    X(PERSISTENCE, persistence, struct image_persistence, 1u << 20, "sessions of rules")           \
    X(FILTERS, filters, struct image_filter, 1u << 22, "filters of rules")                         \
    X(HEADER_OPS, header_ops, struct image_header_op, 1u << 22, "of header modifiers")             \
    X(REDIRECTS, redirects, struct image_redirect, 1u << 20, "of RequestRedirect")                 \
    X(REWRITES, rewrites, struct image_rewrite, 1u << 20, "of URLRewrite")                         \
    X(CORS, cors, struct image_cors, 1u << 20, "of CORS")                                          \
    X(ORIGINS, origins, struct image_origin, 1u << 22, "of CORS filters")                          \
    X(MIRRORS, mirrors, struct image_mirror, 1u << 20, "of RequestMirror")                         \
    X(LIMITS, limits, struct image_limit, 1u << 20, "of ExtensionRef to RateLimits")               \
    X(ACCESS_USES, access_uses, uint32_t, 1u << 20, "of ExtensionRef to AccessPolicies: accesses") \
    X(ACCESSES, accesses, struct image_access, 65536, "AccessPolicies")                            \
    X(BASICS, basics, struct image_basic, 65536, "passwords of AccessPolicies")                    \
    X(USERS, users, struct image_user, 1u << 20, "who has one, by image_basic")                    \
    X(JWTS, jwts, struct image_jwt, 65536, "tokens of AccessPolicies")                             \
    X(JWT_KEYS, jwt_keys, struct image_jwt_key, 1u << 20, "who may sign them, by image_jwt")       \
    X(JWT_AUDIENCES, jwt_audiences, struct image_string, 1u << 19, "for whom, by image_jwt")       \
    X(RANGES, ranges, struct image_range, 1u << 20, "of client addresses, by AccessPolicy")        \
    X(GATE_USES, gate_uses, uint32_t, 1u << 20, "lists before binds and addresses: accesses")      \
    X(GATES, gates, struct image_gate, 4096, "VIPs that lists stand before")                       \
    X(CONN_LIMITS, conn_limits, struct image_conn_limit, 65536, "of connections open at once")     \
    X(BACKENDS, backends, struct image_backend, 1u << 22, "weighted backends of rules")            \
    X(HEALTH, health, struct image_health, 65536, "health policies of endpoint groups")            \
    X(ROUTES, routes, struct image_route, 1u << 18, "routes, most preferred first")                \
    X(PATTERN_SETS, pattern_sets, struct image_pattern_set, 1u << 20, "patterns asked together")   \
    X(PATTERNS, patterns, struct image_pattern, 1u << 20, "regular expressions, by set")           \
    X(DATABASES, databases, struct image_database, 1u << 18, "compiled pattern sets")              \
    X(DATABASE_BYTES, database_bytes, uint8_t, IMAGE_BYTES_MAX, "as Hyperscan serializes them")

enum image_section_type {
    IMAGE_SECTION_BEFORE_FIRST, /* 0 is no type */
#define X(name, member, type, max, help) IMAGE_SECTION_##name,
    IMAGE_SECTION_LIST(X)
#undef X
        IMAGE_SECTION_AFTER_LAST
};

#define IMAGE_SECTION_COUNT ((uint32_t)IMAGE_SECTION_AFTER_LAST - 1)

struct image_header {
    uint32_t magic;
    uint32_t version;
    uint64_t generation;
    uint64_t length;
    uint64_t checksum;
    uint64_t content_checksum;
    uint64_t hash_seed;
    uint32_t n_sections;
    uint32_t path_ahead;
    uint32_t reserved[2];
};

struct image_section {
    uint32_t type;
    uint32_t entry_size;
    uint32_t offset;
    uint32_t count;
};

/* Bytes of the STRINGS section. Length 0: empty or absent, offset 0. */
struct image_string {
    uint32_t offset;
    uint32_t length;
};

/* As struct net_interface, and the name of the Interface object. */
struct image_interface {
    uint16_t port;           /* index, see core/port.h */
    uint16_t vlan;           /* 0: untagged; at most 4094 */
    uint16_t mtu;            /* 0: the port's; else 576..65535 */
    uint16_t virtual_router; /* 1..255: its master has the interface's VIPs (VRRP); 0: we do */
    struct image_string name;
    struct ip_addr drained; /* the box on this link whose connections are to end (Drain), IPv4: what
                               is no connection of ours goes to it; an address of ours: it is us;
                               zero: none is */
};

#define IMAGE_VIP_ROUTED 2u

/* As struct net_address, byte for byte. */
struct image_address {
    struct ip_addr addr; /* VIPs stand behind all others, in order and each once */
    uint8_t prefix_len;  /* of the mapped form: an IPv4 /24 is 120; a VIP has 128 */
    uint8_t is_vip;      /* 0, 1, or IMAGE_VIP_ROUTED: it comes by a route, and is no neighbours' */
    uint16_t interface;  /* index into interfaces */
};

/* Of image_egress.flags. */
#define IMAGE_EGRESS_SHARES 1u /* destinations with the route of its prefix before it */
#define IMAGE_EGRESS_PODS 2u   /* to pods: none of the kernel's business on the exception path */

/* As struct net_route, byte for byte. */
struct image_egress {
    struct ip_addr prefix; /* bits after prefix_len are zero */
    uint8_t prefix_len;    /* of the mapped form */
    uint8_t flags;         /* IMAGE_EGRESS_* */
    uint16_t interface;
    struct ip_addr gateway; /* of the same family, on-link; zero: so is the whole prefix */
};

/* What keeps TCP's sending within what the path takes: X(NAME, text as in TransportPolicy). */
#define IMAGE_CONGESTION_LIST(X)                                                                   \
    X(NONE, "") /* where there is no connection */                                                 \
    X(CUBIC, "Cubic")                                                                              \
    X(BBR, "BBR")

enum image_congestion {
#define X(name, text) IMAGE_CONGESTION_##name,
    IMAGE_CONGESTION_LIST(X)
#undef X
        IMAGE_CONGESTIONS
};

/* Which of a group's endpoints is next: X(NAME, text as in TransportPolicy). */
#define IMAGE_BALANCING_LIST(X)                                                                    \
    X(NONE, "") /* where there is no group */                                                      \
    X(LEAST, "LeastOutstanding")                                                                   \
    X(TURNS, "RoundRobin")                                                                         \
    X(MAGLEV, "Maglev")

enum image_balancing {
#define X(name, text) IMAGE_BALANCING_##name,
    IMAGE_BALANCING_LIST(X)
#undef X
        IMAGE_BALANCINGS
};

/* What the hash is of that tells an endpoint: X(NAME, text as in TransportPolicy). */
#define IMAGE_HASH_KEY_LIST(X)                                                                     \
    X(NONE, "") /* where none does */                                                              \
    X(CLIENT, "ClientAddress")                                                                     \
    X(HEADER, "Header")                                                                            \
    X(COOKIE, "Cookie")                                                                            \
    X(CONNECTION, "Connection") /* both ends of it; of what is passed on, without a word */

enum image_hash_key {
#define X(name, text) IMAGE_HASH_KEY_##name,
    IMAGE_HASH_KEY_LIST(X)
#undef X
        IMAGE_HASH_KEYS
};

/* A group's balancing. */
struct image_balance {
    struct image_string name; /* HEADER: its name, lower case; COOKIE: its name; else empty. Where a
                                 request has none, or is none, the client's address is hashed */
    uint8_t way;              /* enum image_balancing */
    uint8_t hash_key;         /* enum image_hash_key; MAGLEV: not NONE; else NONE */
    uint8_t reserved[2];
};

/* What our connections to a group begin with: X(NAME, text as in TransportPolicy). */
#define IMAGE_PROXY_HEADER_LIST(X)                                                                 \
    X(NONE, "")                                                                                    \
    X(V1, "V1")                                                                                    \
    X(V2, "V2")

enum image_proxy_header {
#define X(name, text) IMAGE_PROXY_HEADER_##name,
    IMAGE_PROXY_HEADER_LIST(X)
#undef X
        IMAGE_PROXY_HEADERS
};

/* What is spoken to a group's endpoints: X(NAME, text for people). */
#define IMAGE_BACKEND_PROTOCOL_LIST(X)                                                             \
    X(HTTP1, "HTTP/1.1")                                                                           \
    X(HTTP2, "HTTP/2") /* with prior knowledge, in cleartext (RFC 9113, section 3.3) */

enum image_backend_protocol {
#define X(name, text) IMAGE_BACKEND_##name,
    IMAGE_BACKEND_PROTOCOL_LIST(X)
#undef X
        IMAGE_BACKEND_PROTOCOLS
};

/* How what comes at a bind of kind TCP or UDP gets to a group's endpoints: X(NAME, text as in
 * TransportPolicy). */
#define IMAGE_FORWARDING_LIST(X)                                                                   \
    X(PROXY, "Proxy") /* by a connection of ours; of UDP there is none, and it is taken as NAT */  \
    X(NAT, "NAT")     /* packets go on with our address as their source, and come back */          \
    X(IPIP, "IPIP") /* they go on as they came, in another packet (RFC 2003, RFC 2473); answers  \
                         go to clients without us */ \
    X(GUE, "GUE")   /* likewise, in a UDP datagram (draft-ietf-intarea-gue) */

enum image_forwarding {
#define X(name, text) IMAGE_FORWARDING_##name,
    IMAGE_FORWARDING_LIST(X)
#undef X
        IMAGE_FORWARDINGS
};

/* What clients speak at an address and port. */
enum image_bind_kind {
    IMAGE_BIND_HTTP = 0,
    IMAGE_BIND_HTTPS = 1, /* TLS, and all its listeners are HTTPS */
    IMAGE_BIND_TLS = 2,   /* TLS, and some are TLS: before anybody answers, the server name that the
                             client asks for tells whose the connection is */
    IMAGE_BIND_TCP = 3,   /* whatever its one listener's backends do */
    IMAGE_BIND_UDP = 4,   /* likewise, in datagrams: its port is one of UDP */
    IMAGE_BIND_DNS = 5,   /* queries by TCP: the name in the first one tells whose the rest is */
    IMAGE_BIND_DNS_UDP = 6, /* and by UDP: each is its name's */
    IMAGE_BIND_KINDS
};

/*
 * A local address and a port of TCP, or of UDP. No two of everybody are the same. Some clients may
 * have one of their own at the same place (routes of a namespace to another's Service): then that
 * is theirs, whole, and nothing of everybody's counts for them. It is in no slot, but in the
 * choices of everybody's; see image_bind_for().
 */
struct image_bind {
    struct ip_addr addr;
    uint16_t port;      /* host order, not 0 */
    uint8_t congestion; /* enum image_congestion, not NONE: of what we send to clients by TCP */
    uint8_t kind;       /* enum image_bind_kind */
    uint8_t is_proxied; /* 0 or 1: each connection has to begin with a PROXY protocol header */
    uint8_t is_service; /* 0, or 1: the address is a Service's, not a Gateway's */
    uint8_t ends_tls; /* 0 or 1: HTTPS: 1. TLS: whether some listener terminates it. Where none does
                           nobody speaks TLS, so that a name of nobody gets no alert */
    uint8_t reserved;
    uint32_t root; /* of the trie of listener hostnames; two binds may share one */
    uint32_t first_trusted;
    uint32_t n_trusted;  /* whose headers count; others are reset. 0: everybody's */
    uint32_t first_gate; /* in GATE_USES: what stands before it, see struct image_gate */
    uint32_t n_gates;
    uint32_t limit;        /* how many may be connected, in CONN_LIMITS; IMAGE_NONE: any number */
    uint32_t set;          /* whose it is, in CLIENT_SETS; IMAGE_NONE: everybody's */
    uint32_t first_choice; /* in CHOICES: where those of the bind before it end */
    uint32_t n_choices;    /* binds at the same place, sorted by their sets; 0 with a set */
};

/* Clients that are told from others: those of a namespace. */
struct image_client_set {
    struct image_string name; /* of the namespace */
};

/* Where one of them is. Sorted by address; each once. */
struct image_client {
    struct ip_addr addr;
    uint32_t set;
};

/* Addresses of one family that begin alike. */
struct image_prefix {
    struct ip_addr addr; /* bits after `len` are zero */
    uint8_t len;         /* of the mapped form */
    uint8_t reserved[3];
};

enum image_protocol {
    IMAGE_PROTOCOL_HTTP = 1,
    IMAGE_PROTOCOL_HTTPS = 2, /* TLS is terminated */
    IMAGE_PROTOCOL_TLS = 3,   /* it is passed on as it came; the server name tells the host */
    IMAGE_PROTOCOL_TLS_TERMINATED = 4, /* it is terminated, and what is in it is passed on */
    IMAGE_PROTOCOL_TCP = 5,            /* all is passed on; the host is empty */
    IMAGE_PROTOCOL_UDP = 6,            /* likewise */
    IMAGE_PROTOCOL_DNS = 7, /* names are paths, types methods (dns/dns.h); the host is empty */
};

/* Whether clients have to say who they are: X(NAME, text as in Gateway). */
#define IMAGE_CLIENT_AUTH_LIST(X)                                                                  \
    X(NONE, "")                                                                                    \
    X(FALLBACK, "AllowInsecureFallback") /* they are asked, and let in whatever they say */        \
    X(REQUIRED, "AllowValidOnly")

enum image_client_auth {
#define X(name, text) IMAGE_CLIENT_AUTH_##name,
    IMAGE_CLIENT_AUTH_LIST(X)
#undef X
        IMAGE_CLIENT_AUTHS
};

struct image_listener {
    struct image_string
        name; /* "namespace/gateway/listener", or "namespace/ListenerSet/set/listener" */
    struct image_string hostname; /* as configured; empty: all */
    uint32_t root;                /* of the trie of route hostnames */
    uint16_t port;
    uint8_t protocol;        /* enum image_protocol */
    uint8_t client_auth;     /* enum image_client_auth; NONE but with HTTPS */
    uint32_t first_identity; /* where TLS is terminated: 1..IMAGE_IDENTITIES_PER_LISTENER_MAX; else
                                0, none */
    uint32_t n_identities;
    uint32_t bundle;   /* that clients are verified by; IMAGE_NONE: with NONE */
    uint32_t identity; /* that backends are shown who ask for one; IMAGE_NONE: none */
};

/* A certificate with its key, which stand in the segment of keys (abi/keys.h). */
struct image_identity {
    struct keys_id id;
    struct image_string name; /* "namespace/name" of the Secret */
};

/* CA certificates, which stand in the segment of keys. */
struct image_bundle {
    struct keys_id id;
    struct image_string name; /* "namespace/name" of each ConfigMap, with commas between */
};

/* What a name in a certificate is (RFC 5280, section 4.2.1.6). */
enum image_san_kind {
    IMAGE_SAN_HOST = 1, /* dNSName; a wildcard stands for its like only */
    IMAGE_SAN_URI = 2,  /* uniformResourceIdentifier, byte for byte */
};

struct image_san {
    struct image_string text;
    uint32_t kind; /* enum image_san_kind */
};

/*
 * How connections to a group's endpoints are secured (BackendTLSPolicy). Its names lie where those
 * of the one before it end: a certificate has to have one of them.
 */
struct image_backend_tls {
    uint64_t id[2];                  /* tells all that follows: with another one it is another */
    struct image_string name;        /* "namespace/name" of the BackendTLSPolicy, for logs */
    struct image_string server_name; /* that is asked for (SNI) */
    uint32_t first_san;
    uint32_t n_sans; /* 1..IMAGE_SANS_PER_TLS_MAX */
    uint32_t bundle; /* that they are verified by */
    uint32_t reserved;
};

/* What a trie is made of, and what its values are. */
enum image_node_kind {
    IMAGE_NODE_LISTENERS = 1, /* labels of a host from the right; values: listeners */
    IMAGE_NODE_HOSTS = 2,     /* labels of a host from the right; values: hosts */
    IMAGE_NODE_PATHS = 3,     /* segments of a path from the left; values: paths */
};

/* Which nodes of a host's paths have patterns. */
enum image_host_sets {
    IMAGE_HOST_SETS_NONE = 0,
    IMAGE_HOST_SETS_BELOW = 1, /* some, but not the root */
    IMAGE_HOST_SETS_ROOT = 2,  /* the root, perhaps others */
};

/* What a node leads to, and what a request needs of it at once. */
struct image_value {
    uint32_t index; /* of the listener, host or path; IMAGE_NONE: none, and so is the rest */
    uint32_t to;    /* listener: root of its hosts; host: root of its paths; path: its first match,
                       if that needs nothing else and there are no guards; else IMAGE_NONE */
    uint32_t more;  /* listener: 0; host: enum image_host_sets; path: the rule of that match, or
                       IMAGE_NONE */
};

#define IMAGE_HEAD_BYTES 12u     /* of a label; what is longer is in the strings, too */
#define IMAGE_LONE_HEAD_BYTES 8u /* of a node with IMAGE_NODE_IS_LONE */

/* What there is of a node. */
enum image_node_flag {
    IMAGE_NODE_HAS_CHILDREN = 1,
    IMAGE_NODE_HAS_EXACT = 2,   /* a value for what ends here */
    IMAGE_NODE_HAS_SUBTREE = 4, /* a value for what lies below (see below) */
    IMAGE_NODE_HAS_SETS = 8,    /* pattern sets for what lies below */
    IMAGE_NODE_IS_LONE = 16,    /* one pattern, and neither of the values */
    IMAGE_NODE_FLAGS = 31,      /* all of them */
};

/*
 * A node of a trie, or (kind 0, all zero) a free place; their number is a power of two. A node
 * stands in one of the IMAGE_PROBES_MAX places from its hash on (low bits, wrapping around),
 * without a free place before it; an index is a place.
 *
 * A root has no parent, no label and depth 0. "*.example.com" is `subtree` of the node com,
 * example, and holds below that node only; no hostname at all is `subtree` of the root. A path
 * prefix "/a/b" is `subtree` of the node a, b, and holds at that node and below; "/" is `subtree`
 * of the root. A slash at the end is an empty last segment: "/" exactly is `exact` of the root's
 * child with the empty label.
 *
 * Mostly a node has one value, or one pattern and leads to nothing else; then this half of it says
 * all. Values: image_node_exact(), image_node_subtree(); the pattern: image_node_lone().
 */
struct image_node {
    uint32_t parent;          /* IMAGE_NONE: a root */
    struct image_value value; /* its exact one, else that of its subtree, else its pattern's
                                       if that is the only one */
    uint16_t label_bytes;
    uint8_t kind;                   /* enum image_node_kind, the parent's */
    uint8_t flags;                  /* enum image_node_flag */
    uint8_t head[IMAGE_HEAD_BYTES]; /* the first bytes of the label, then zeros; IS_LONE: behind
                                       IMAGE_LONE_HEAD_BYTES the database of its pattern set */
};

/* The other half, which few requests need; all zero for a free place. */
struct image_node_rest {
    uint64_t hash;              /* image_edge_hash() of the parent's and the label; a root of paths:
                                   image_below_hash() of its host's node; other roots: any */
    uint32_t label;             /* where it begins in the strings; 0 if it is empty */
    uint32_t first_set;         /* HAS_SETS; else IMAGE_NONE */
    struct image_value subtree; /* of a node that has an exact value, too; else none */
    uint16_t depth;             /* the parent's plus one */
    uint16_t reserved;
};

/*
 * One place in the hash table of guards' answers; its count is a power of two. An answer stands in
 * one of the IMAGE_PROBES_MAX places from image_edge_hash() on (wrapping around), without a free
 * place before it.
 */
struct image_slot {
    uint32_t tag;  /* upper half of the hash */
    uint32_t node; /* the answer; IMAGE_NONE: free (and tag 0) */
};

struct image_host {
    struct image_string name; /* "a.example.com", "*.example.com", or empty: all; lower case */
    uint32_t listener;
    uint32_t root;      /* of the trie of paths */
    uint32_t first_set; /* pattern sets of its paths, by node */
    uint32_t n_sets;
};

enum image_path_kind {
    IMAGE_PATH_EXACT = 1,
    IMAGE_PATH_PREFIX = 2, /* by segment; no slash at the end of `text` but for "/" itself */
    IMAGE_PATH_REGEX = 3,  /* `text` is a pattern that the whole path matches */
};

/*
 * A regular expression in Hyperscan's dialect (PCRE without back-references and look-around), which
 * matches a text if it matches all of it, byte by byte. Of a host's the longer ones come first,
 * then by their bytes; so they stand within a node.
 */
struct image_pattern {
    struct image_string text; /* as configured */
    struct image_value value; /* of a host: its path; of a predicate: none */
    uint32_t way;             /* bytes of `text` that are the way to the node, last slash and all,
                                 which the database does not know; 0: the root's or a predicate's */
};

/* Patterns that one database knows, each by its place in the set. First in the section are those
 * of predicates, one pattern each, then those of the hosts in their order; the sets of a node lie
 * together. */
struct image_pattern_set {
    uint32_t first_pattern;
    uint32_t n_patterns; /* 1..IMAGE_PATTERNS_PER_SET_MAX */
    uint32_t database;   /* two sets of the same patterns share one */
    uint32_t node;       /* that it hangs on; of a predicate: IMAGE_NONE */
};

/* Bytes of DATABASE_BYTES. */
struct image_database {
    uint32_t offset;
    uint32_t length;
};

struct image_path {
    struct image_string text;
    uint32_t first_match; /* matches of this path, the most preferred first */
    uint32_t n_matches;   /* at least 1 */
    uint16_t kind;        /* enum image_path_kind */
    uint16_t n_guards;    /* 0: no more than IMAGE_UNGUARDED_MATCHES_MAX matches, or one by one */
    uint32_t first_guard; /* guards of this path */
};

/*
 * What must hold besides listener, host and path. Within a path in this order: with a method first,
 * more headers, more query parameters, lower rule (so: older route, route name, rule's place),
 * lower index.
 */
struct image_match {
    uint32_t path;
    uint32_t rule;
    uint32_t first_predicate; /* headers first, then query parameters */
    uint16_t n_headers;
    uint16_t n_queries;
    struct image_string method; /* empty: any; with is_grpc the one that is called */
    uint16_t index;             /* place in the rule's list of matches */
    uint8_t is_grpc; /* 0, or 1: of a GRPCRoute, and takes only what calls a method: a POST
                                   to "/service/method" */
    uint8_t reserved;
    uint32_t answer; /* what it hangs on; IMAGE_NONE: its path has no guards */
};

enum image_predicate_kind {
    IMAGE_PREDICATE_HEADER = 1,       /* name without case, combined value is the same bytes */
    IMAGE_PREDICATE_QUERY = 2,        /* name and first value are the same bytes, both decoded */
    IMAGE_PREDICATE_HEADER_REGEX = 3, /* `value` is a pattern that the combined value matches */
    IMAGE_PREDICATE_QUERY_REGEX = 4,  /* likewise the first value, decoded */
};

struct image_predicate {
    struct image_string name; /* of a header: lower case */
    struct image_string value;
    uint16_t kind; /* enum image_predicate_kind */
    uint16_t reserved;
    uint32_t set; /* REGEX: the pattern set with just this pattern; else IMAGE_NONE */
};

enum image_guard_kind {
    IMAGE_GUARD_NONE = 0,   /* for matches that hang on nothing; the answer is empty */
    IMAGE_GUARD_HEADER = 1, /* the combined value of header `name` */
    IMAGE_GUARD_QUERY = 2,  /* the first value of query parameter `name`, decoded */
    IMAGE_GUARD_METHOD = 3, /* the method; `name` is empty, as with the next */
    IMAGE_GUARD_CALL = 4,   /* the method that is called: see is_grpc of struct image_match */
};

/* A question. No two of a path are the same. */
struct image_guard {
    uint32_t path;
    struct image_string name;
    uint16_t kind; /* enum image_guard_kind */
    uint16_t reserved;
};

/* An answer that some matches need: they have just this predicate or method. Found in guard_slots
 * under image_edge_hash(guard, value), with the rules of struct image_slot. */
struct image_answer {
    uint32_t guard;
    struct image_string value; /* at most IMAGE_ANSWER_BYTES_MAX */
    uint32_t first;            /* in answer_matches: indices of matches, growing */
    uint32_t count;            /* at least 1 */
};

/*
 * An action. A redirect among the filters answers. Otherwise one of the backends is chosen by
 * weight; when there is none, or all weights are zero, the answer is 500.
 */
struct image_rule {
    uint32_t route;
    uint16_t index;        /* place in the route's list of rules */
    uint16_t fault_status; /* 500: the rule cannot be carried out as written; 0: it can */
    uint32_t first_filter;
    uint16_t n_filters;
    uint16_t n_backends;
    uint32_t first_backend;
    uint32_t weight_total;               /* sum of the backends' weights */
    uint32_t request_timeout_ms;         /* 0: none */
    uint32_t backend_request_timeout_ms; /* 0: none */
    uint32_t retry;                      /* IMAGE_NONE: none but what can do no harm */
    uint32_t persistence;                /* IMAGE_NONE: requests have no sessions */
};

#define IMAGE_RETRY_CODE_MIN 400u
#define IMAGE_RETRY_CODE_MAX 599u

/* When a request is sent to a backend once more (HTTPRouteRetry). */
struct image_retry {
    uint32_t backoff_ms; /* at least so long between two tries */
    uint8_t attempts;    /* after the first; 1..IMAGE_RETRY_ATTEMPTS_MAX */
    uint8_t reserved[2];
    uint8_t codes[25]; /* a bit for each status from 400 on: bit 0 of the first byte is 400 */
};

enum image_session_kind {
    IMAGE_SESSION_COOKIE = 1, /* `name` is a cookie's */
    IMAGE_SESSION_HEADER = 2, /* `name` is a field's, in requests and responses */
};

/*
 * Requests of a session go where the first one went (SessionPersistence, GEP-1619). What a client
 * carries is made and read by route/session.h; the keys are secret, the same for all workers and
 * for every box that has the same objects.
 */
struct image_persistence {
    uint64_t token_key[2];    /* tells endpoints; not zero */
    uint64_t seal_key[2];     /* tells what we made from what we did not; not zero */
    struct image_string name; /* a token; see image_is_session_name() */
    struct image_string path; /* of the cookie, see image_is_cookie_path(); with HEADER: empty */
    uint32_t lifetime_s;      /* then the session is over; 0: never */
    uint8_t kind;             /* enum image_session_kind */
    uint8_t is_permanent;     /* 0, or 1: the cookie outlives the browser; it has a lifetime */
    uint8_t reserved[2];
};

/*
 * How to add a filter: a line here, a section of its parameters, a case in check_filter(), and a
 * new IMAGE_VERSION. At most one of each type in a rule; never a redirect with a rewrite.
 */
enum image_filter_type {
    IMAGE_FILTER_REQUEST_HEADERS = 1,  /* entries: header_ops */
    IMAGE_FILTER_RESPONSE_HEADERS = 2, /* entries: header_ops */
    IMAGE_FILTER_REDIRECT = 3,         /* entry: redirects */
    IMAGE_FILTER_REWRITE = 4,          /* entry: rewrites */
    IMAGE_FILTER_CORS = 5,             /* entry: cors */
    IMAGE_FILTER_MIRROR = 6,           /* entries: mirrors, those of all RequestMirrors of a rule */
    IMAGE_FILTER_LIMIT = 7,            /* entries: limits, those of all RateLimits of a rule */
    IMAGE_FILTER_ACCESS = 8,           /* entries: access_uses, those of all its AccessPolicies */
};

struct image_filter {
    uint16_t type; /* enum image_filter_type */
    uint16_t reserved;
    uint32_t first; /* of its entries in the section that the type says */
    uint32_t count;
};

enum image_header_op_kind {
    IMAGE_HEADER_SET = 1,    /* the only value from now on */
    IMAGE_HEADER_ADD = 2,    /* one more value */
    IMAGE_HEADER_REMOVE = 3, /* value empty */
};

struct image_header_op {
    struct image_string name; /* a token, as configured */
    struct image_string value;
    uint32_t kind; /* enum image_header_op_kind */
};

/* What becomes of the path in a redirect or rewrite. */
enum image_path_edit {
    IMAGE_PATH_KEEP = 0,
    IMAGE_PATH_REPLACE_FULL = 1,   /* the path becomes `path`; the query stays */
    IMAGE_PATH_REPLACE_PREFIX = 2, /* the matched prefix becomes `path` */
};

enum image_scheme {
    IMAGE_SCHEME_KEEP = 0,
    IMAGE_SCHEME_HTTP = 1,
    IMAGE_SCHEME_HTTPS = 2,
};

struct image_redirect {
    struct image_string hostname; /* empty: the request's */
    struct image_string path;
    uint16_t status;   /* 301, 302, 303, 307, 308 */
    uint16_t port;     /* 0: by scheme if that is set, else the listener's */
    uint8_t scheme;    /* enum image_scheme */
    uint8_t path_edit; /* enum image_path_edit */
    uint16_t reserved;
};

struct image_rewrite {
    struct image_string hostname; /* empty: keep */
    struct image_string path;
    uint8_t path_edit; /* enum image_path_edit */
    uint8_t reserved[3];
};

enum image_cors_flag {
    IMAGE_CORS_ANY_ORIGIN = 1,  /* "*": then there are no origins */
    IMAGE_CORS_CREDENTIALS = 2, /* then "*" must not be told: what was asked for is */
    IMAGE_CORS_ANY_METHOD = 4,  /* "*": then `methods` is empty */
    IMAGE_CORS_ANY_HEADER = 8,  /* "*": then `headers` is empty */
};

/* What scripts of other origins may do (HTTPCORSFilter; Fetch, section 3.3). */
struct image_cors {
    uint32_t first_origin;
    uint16_t n_origins;
    uint16_t flags;              /* enum image_cors_flag */
    struct image_string methods; /* values of Access-Control-Allow-Methods, */
    struct image_string headers; /* -Allow-Headers, */
    struct image_string exposed; /* and -Expose-Headers; empty: the field is not sent */
    uint32_t max_age_s;          /* at least 1 */
};

/* An origin: scheme, host and port, as configured and taken apart. */
struct image_origin {
    struct image_string text; /* as configured */
    struct image_string host; /* lower case; with is_wildcard what follows "*." (empty: any host) */
    uint16_t port;            /* the scheme's own if none was given */
    uint8_t scheme;           /* enum image_scheme, not KEEP */
    uint8_t is_wildcard;      /* 0 or 1: any number of labels before `host`, but not none */
};

/* A further backend for a share of the requests (HTTPRequestMirrorFilter). */
struct image_mirror {
    struct image_string name; /* as of a backend */
    uint32_t group;
    uint32_t numerator; /* of `denominator` requests so many are mirrored */
    uint32_t denominator;
    struct image_balance balancing; /* as of a backend */
    uint32_t health;                /* likewise */
    uint8_t congestion;             /* likewise */
    uint8_t proxy_header;           /* likewise */
    uint8_t protocol;               /* likewise */
    uint8_t reserved;
    uint32_t tls; /* likewise */
};

/* Whose requests one bucket of a limit counts. */
enum image_limit_key {
    IMAGE_LIMIT_ROUTE = 1,  /* everybody's */
    IMAGE_LIMIT_CLIENT = 2, /* those of clients whose addresses begin alike */
    IMAGE_LIMIT_HEADER = 3, /* those with the same value of a header */
};

/*
 * How many requests a rule takes (RateLimit): `requests` in `period_ms` from each key, evenly, and
 * `burst` at once by who was silent. A request has to be let through by all limits of its rule.
 */
struct image_limit {
    uint64_t
        id; /* tells rule, RateLimit and numbers: the same in the next image, so buckets stay */
    struct image_string name;   /* "namespace/name" of the RateLimit */
    struct image_string header; /* HEADER: its name, lower case; else empty */
    uint32_t requests;          /* 1..IMAGE_LIMIT_REQUESTS_MAX */
    uint32_t burst;             /* likewise; see image_is_limit() */
    uint32_t period_ms;
    uint8_t key;         /* enum image_limit_key */
    uint8_t prefix4_len; /* CLIENT: bits of IPv4 addresses, 1..32; else 0 */
    uint8_t prefix6_len; /* CLIENT: of IPv6 addresses, 1..128; else 0 */
    uint8_t reserved;
};

/*
 * Who may ask (AccessPolicy), or send packets (AccessPolicy, SourceList); rules and gates share it.
 * Its ranges of client addresses lie where those of the one before it end: first those that may,
 * then those that may not, each list sorted and without overlaps, so one look costs O(log n). Who
 * is in both may not.
 */
struct image_access {
    struct image_string name; /* "namespace/name" of the AccessPolicy; "name" of the SourceList */
    uint32_t first_range;
    uint32_t n_allowed; /* 0: all that are not denied */
    uint32_t n_denied;
    uint32_t basic; /* IMAGE_NONE: nobody is asked for a password */
    uint32_t jwt;   /* IMAGE_NONE: nobody is asked for a token; never both */
};

/*
 * Who may ask with a name and password (RFC 7617). Its users lie where those of the one before it
 * end, sorted by name. Secret: the image is in sealed memory and in files of mode 0600, and no
 * hash of it is told to anybody.
 */
struct image_basic {
    uint64_t id[2];            /* tells policy and users: what was found out of others is void */
    struct image_string realm; /* see image_is_realm() */
    uint32_t first_user;
    uint32_t n_users;
    uint8_t hides_authorization; /* 0, or 1: the backend does not get the field */
    uint8_t reserved[7];
};

struct image_user {
    struct image_string name; /* without a colon */
    struct image_string hash; /* see image_is_password_hash() */
};

/* How a token may be signed (RFC 7518, section 3.1; RFC 8037): bits. "none" and secrets that are
 * shared (HS256) are nobody's. */
enum image_jwt_alg {
    IMAGE_JWT_RS256 = 1u << 0,
    IMAGE_JWT_RS384 = 1u << 1,
    IMAGE_JWT_RS512 = 1u << 2,
    IMAGE_JWT_PS256 = 1u << 3,
    IMAGE_JWT_ES256 = 1u << 4,
    IMAGE_JWT_ES384 = 1u << 5,
    IMAGE_JWT_EDDSA = 1u << 6,
};

#define IMAGE_JWT_ALGS_RSA (IMAGE_JWT_RS256 | IMAGE_JWT_RS384 | IMAGE_JWT_RS512 | IMAGE_JWT_PS256)

/* Who may ask with a token (RFC 7519). Its keys and audiences lie where those of the one before it
 * end. */
struct image_jwt {
    uint64_t id[2];             /* tells policy, issuer, audiences and keys, as that of a basic */
    struct image_string realm;  /* see image_is_realm() */
    struct image_string issuer; /* NAME, not empty */
    uint32_t first_key;
    uint32_t n_keys; /* at most IMAGE_JWT_KEYS_MAX; 0: nobody comes in */
    uint32_t first_audience;
    uint32_t n_audiences;        /* at most IMAGE_JWT_AUDIENCES_MAX; 0: whoever it is for */
    uint8_t hides_authorization; /* as of a basic */
    uint8_t reserved[7];
};

/* A public key. */
struct image_jwt_key {
    struct image_string kid;  /* how tokens name it, NAME; empty: they do not */
    struct image_string spki; /* DER, SubjectPublicKeyInfo (RFC 5280, section 4.1) */
    uint32_t algs;            /* of enum image_jwt_alg: see image_is_jwt_algs() */
};

/*
 * From `first` to `last`, of the same family. One of IPv6 says nothing of IPv4, whose addresses
 * lie among its own: "::/0" becomes two, before and behind them.
 */
struct image_range {
    struct ip_addr first;
    struct ip_addr last;
};

/*
 * A VIP, and the lists that stand before it: accesses without passwords and tokens, of which each
 * has to let a client's address through. They are asked of what comes to the address and to no bind
 * of it; a bind has its own, which are those of its address and its listeners'. Where connections
 * begin with a PROXY header they are asked of the address that it tells, not of packets. Sorted by
 * address; each once.
 */
struct image_gate {
    struct ip_addr addr;
    uint32_t first_use;
    uint32_t n_uses; /* at least 1 */
};

/*
 * How many connections and flows may be open at once where a policy says so (AccessPolicy): at each
 * port of TCP or UDP whose binds have the limit, and of each client at all of them together.
 */
struct image_conn_limit {
    uint64_t id;               /* tells the policy: the same in the next image, so counts stay */
    struct image_string name;  /* "namespace/name" of the AccessPolicy */
    uint32_t conns_max;        /* at most IMAGE_CONNS_MAX; 0: any number */
    uint32_t client_conns_max; /* likewise, of an address (of IPv6 a /64); never both 0 */
};

struct image_backend {
    struct image_string name; /* the group's: "namespace/service:port", for logs and explain */
    uint32_t group;           /* endpoint group, see abi/endpoints.h; IMAGE_NONE: a fault */
    uint32_t weight;
    uint16_t fault_status; /* with no group: 500; else 0 */
    uint8_t congestion;    /* enum image_congestion; the same in all backends of a group, for their
                              connections are the group's; with no group: NONE */
    uint8_t n_filters;     /* of header types, carried out after the rule's */
    uint32_t first_filter;
    struct image_balance balancing; /* of the group; with no group: zero */
    uint8_t proxy_header; /* enum image_proxy_header; the same in all backends of a group */
    uint8_t protocol;     /* enum image_backend_protocol; likewise */
    uint8_t forwarding;   /* enum image_forwarding; likewise. With a proxy_header or tls: PROXY */
    uint8_t reserved;
    uint32_t health;  /* the group's policy; IMAGE_NONE: it has none */
    uint32_t tls;     /* how its connections are secured; IMAGE_NONE: they are not */
    uint32_t idle_ms; /* what is passed on is kept so long without a word: within IMAGE_IDLE_MS_*;
                         likewise. 0: as long as usual, and for requests */
};

/* How long a connection or flow may be silent: less would cut pauses of people, more would be
 * kept for what has been forgotten. */
#define IMAGE_IDLE_MS_MIN 1000u
#define IMAGE_IDLE_MS_MAX (24u * 3600u * 1000u)

/* How endpoints are asked whether they are well: X(NAME, text as in HealthPolicy). */
#define IMAGE_HEALTH_CHECK_LIST(X)                                                                 \
    X(NONE, "") /* they are not asked */                                                           \
    X(HTTP, "HTTP")                                                                                \
    X(TCP, "TCP")                                                                                  \
    X(GRPC, "GRPC")                                                                                \
    X(TLS, "TLS")

enum image_health_check {
#define X(name, text) IMAGE_HEALTH_CHECK_##name,
    IMAGE_HEALTH_CHECK_LIST(X)
#undef X
        IMAGE_HEALTH_CHECKS
};

/* Statuses from the first to the last. */
struct image_status_range {
    uint16_t first; /* 100..599 */
    uint16_t last;  /* not less, and at most 599 */
};

/*
 * When endpoints of a group get no requests although they are READY (HealthPolicy). Sorted by
 * group, each at most once; all backends and mirrors of a group lead to its policy.
 *
 *   asked (check)      every interval_ms each endpoint is asked; so many good or bad answers in a
 *                      row make it healthy or unhealthy
 *   seen (failures)    so many requests in a row that fail there eject it, for base_ejection_ms the
 *                      first time, twice that the second time in a row, up to max_ejection_ms; no
 *                      more than max_ejected_percent of the READY ones at once, or one
 *   slow_start_ms      who begins to get requests gets its full share after that time
 *   panic_percent      when fewer of the READY ones are usable, all are used
 */
struct image_health {
    uint32_t group;
    uint32_t interval_ms;        /* with a check, as all up to `statuses`; else 0 */
    uint32_t timeout_ms;         /* not more than the interval */
    uint16_t healthy_checks;     /* in a row; 1..IMAGE_HEALTH_COUNT_MAX */
    uint16_t unhealthy_checks;   /* likewise */
    uint16_t port;               /* 0: the endpoint's */
    uint8_t check;               /* enum image_health_check */
    uint8_t n_statuses;          /* HTTP: 1..IMAGE_HEALTH_RANGES_MAX; else 0 */
    struct image_string host;    /* HTTP: Host; GRPC: :authority; empty: the address. TLS: server
                                  name, not too long; empty: none */
    struct image_string path;    /* HTTP: not empty, with its query */
    struct image_string service; /* GRPC, not too long; empty: the server as a whole */
    struct image_status_range statuses[IMAGE_HEALTH_RANGES_MAX]; /* HTTP: that pass */
    uint32_t base_ejection_ms;                                   /* with failures; else 0 */
    uint32_t max_ejection_ms;    /* likewise; not less than base_ejection_ms */
    uint32_t slow_start_ms;      /* 0: none */
    uint16_t failures;           /* in a row; 0: what is seen of requests does not count */
    uint8_t max_ejected_percent; /* with failures: 1..100; else 0 */
    uint8_t panic_percent;       /* 0..100 */
    struct image_string name;    /* "namespace/name" of the HealthPolicy, for logs */
    uint32_t tls; /* of the group's connections, and so of HTTP and GRPC checks of the endpoint's
                         own port; IMAGE_NONE: none */
    uint8_t protocol; /* enum image_backend_protocol: of the group's connections, and so of HTTP
                         checks of the endpoint's own port */
    uint8_t reserved[3];
};

/* X(NAME, the kind of object). */
#define IMAGE_ROUTE_KIND_LIST(X)                                                                   \
    X(HTTP, "HTTPRoute")                                                                           \
    X(GRPC, "GRPCRoute")                                                                           \
    X(TLS, "TLSRoute") /* of these three each rule has one match, which takes all */               \
    X(TCP, "TCPRoute")                                                                             \
    X(UDP, "UDPRoute")                                                                             \
    X(DNS, "DNSRoute") /* paths are names from their last label, methods types */

enum image_route_kind {
#define X(name, text) IMAGE_ROUTE_##name,
    IMAGE_ROUTE_KIND_LIST(X)
#undef X
        IMAGE_ROUTE_KINDS
};

/* Sorted by precedence: oldest first, then by name, then by kind; no two are the same. */
struct image_route {
    int64_t created_s; /* creationTimestamp, seconds since 1970 */
    uint64_t id;       /* image_route_id() of its name: what is counted of it is kept under it */
    struct image_string name; /* "namespace/name" */
    uint32_t first_rule;      /* rules of the route in their order */
    uint32_t n_rules;
    uint8_t kind; /* enum image_route_kind */
    uint8_t reserved[7];
};

static_assert(sizeof(struct image_header) == 64, "the table above says 64");
static_assert(offsetof(struct image_header, generation) == 8, "the table above");
static_assert(offsetof(struct image_header, length) == 16, "the table above");
static_assert(offsetof(struct image_header, checksum) == 24, "the table above");
static_assert(offsetof(struct image_header, content_checksum) == 32, "the table above");
static_assert(offsetof(struct image_header, hash_seed) == 40, "the table above");
static_assert(offsetof(struct image_header, n_sections) == 48, "the table above");
static_assert(sizeof(struct image_section) == 16, "the table above says 16");
static_assert(offsetof(struct image_section, offset) == 8, "the table above");
static_assert(sizeof(struct image_interface) == 32, "no hidden padding");
static_assert(sizeof(struct image_address) == 20, "no hidden padding");
static_assert(sizeof(struct image_egress) == 36, "no hidden padding");
static_assert(sizeof(struct image_balance) == 12, "no hidden padding");
static_assert(sizeof(struct image_bind) == 60, "no hidden padding");
static_assert(sizeof(struct image_client_set) == 8, "no hidden padding");
static_assert(sizeof(struct image_client) == 20, "no hidden padding");
static_assert(sizeof(struct image_prefix) == 20, "no hidden padding");
static_assert(sizeof(struct image_listener) == 40, "no hidden padding");
static_assert(sizeof(struct image_identity) == 24, "no hidden padding");
static_assert(sizeof(struct image_bundle) == 24, "no hidden padding");
static_assert(sizeof(struct image_san) == 12, "no hidden padding");
static_assert(sizeof(struct image_backend_tls) == 48, "no hidden padding");
static_assert(sizeof(struct image_value) == 12, "no hidden padding");
static_assert(sizeof(struct image_node) == 32, "half a cache line");
static_assert(sizeof(struct image_node_rest) == 32, "no hidden padding");
static_assert(sizeof(struct image_slot) == 8, "no hidden padding");
static_assert(sizeof(struct image_host) == 24, "no hidden padding");
static_assert(sizeof(struct image_path) == 24, "no hidden padding");
static_assert(sizeof(struct image_match) == 32, "no hidden padding");
static_assert(sizeof(struct image_predicate) == 24, "no hidden padding");
static_assert(sizeof(struct image_guard) == 16, "no hidden padding");
static_assert(sizeof(struct image_answer) == 20, "no hidden padding");
static_assert(sizeof(struct image_rule) == 40, "no hidden padding");
static_assert(sizeof(struct image_retry) == 32, "no hidden padding");
static_assert(sizeof(struct image_persistence) == 56, "no hidden padding");
static_assert(sizeof(struct image_filter) == 12, "no hidden padding");
static_assert(sizeof(struct image_header_op) == 20, "no hidden padding");
static_assert(sizeof(struct image_redirect) == 24, "no hidden padding");
static_assert(sizeof(struct image_rewrite) == 20, "no hidden padding");
static_assert(sizeof(struct image_cors) == 36, "no hidden padding");
static_assert(sizeof(struct image_origin) == 20, "no hidden padding");
static_assert(sizeof(struct image_mirror) == 44, "no hidden padding");
static_assert(sizeof(struct image_limit) == 40, "no hidden padding");
static_assert(sizeof(struct image_access) == 28, "no hidden padding");
static_assert(sizeof(struct image_basic) == 40, "no hidden padding");
static_assert(sizeof(struct image_user) == 16, "no hidden padding");
static_assert(sizeof(struct image_jwt) == 56, "no hidden padding");
static_assert(sizeof(struct image_jwt_key) == 20, "no hidden padding");
static_assert(sizeof(struct image_range) == 32, "no hidden padding");
static_assert(sizeof(struct image_gate) == 24, "no hidden padding");
static_assert(sizeof(struct image_conn_limit) == 24, "no hidden padding");
static_assert(sizeof(struct image_backend) == 52, "no hidden padding");
static_assert(sizeof(struct image_health) == 108, "no hidden padding");
static_assert(sizeof(struct image_route) == 40, "no hidden padding");
static_assert(sizeof(struct image_pattern) == 24, "no hidden padding");
static_assert(sizeof(struct image_pattern_set) == 16, "no hidden padding");
static_assert(sizeof(struct image_database) == 8, "no hidden padding");
