/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446) as a stream over a lower stream. OpenSSL
 * is known in this folder only; it reads and writes the lower stream by a BIO
 * of ours, so there is no second copy of the records.
 *
 * The upper stream keeps core/stream.h's rules: no event before the handshake
 * is done; the peer's close_notify is the end of its bytes (stream_is_eof());
 * the end of the lower stream without it is STREAM_END_PROTOCOL (truncation),
 * as is an alert or a bad record. Releasing or aborting the upper stream does
 * the same to the lower one; the upper stream owns the lower one from the first
 * call on.
 *
 * Owner: as for streams. Thread: the worker or loop of the lower stream.
 * Memory: the heap, within TLS_BUFFER_BYTES and OpenSSL's own (about 20 KiB a
 * connection).
 */
#pragma once

#include "base/slice.h"
#include "core/stream.h"

#include <stdbool.h>
#include <stddef.h>

struct wheel;
struct tls_context;
struct tls_identity;
struct tls_tickets;
struct tls_trust;

/* Plaintext that was decrypted and not yet consumed: one record of the largest
 * size. */
#define TLS_BUFFER_BYTES 16384u
/* Bytes of the peer that one step of a handshake gets, when another core takes it: the largest
 * message in one record. */
#define TLS_RAW_BYTES_MAX 16640u
/* Room for those of a hello that comes in pieces, at first. */
#define TLS_RAW_BYTES_MIN 512u
/* Ciphertext that the lower stream had no room for: one record, or a handshake's largest flight. */
#define TLS_OUT_BYTES_MAX 65536u
/* A record is of use to the peer when its last byte is there. So as long as a connection's window
 * is small, at its beginning and after a pause, records fit into a segment of TCP, IPv6 and options
 * included; a longer one would wait for a round trip, or for the repair of any of its segments. */
#define TLS_SHORT_RECORD_BYTES 1369u
/* That is: for as long as ten segments last (RFC 6928). */
#define TLS_FRESH_BYTES 14480u
/* And again after a pause of so long, in which windows shrink (RFC 7661). */
#define TLS_FRESH_IDLE_MS 1000u
/* A handshake that takes longer is given up: room for a slow client, not for an
 * idle one. */
#define TLS_HANDSHAKE_MS_MAX 10000u
/* After stream_release(): how long ciphertext may wait for room in the lower stream. */
#define TLS_LINGER_MS_MAX 10000u
/* New keys that the peer may take (RFC 8446, section 4.6.3) or want (a renegotiation, which is
 * refused) one after the other, without data in between: each costs us as much as a small record
 * and says nothing. */
#define TLS_UPDATES_MAX 32u
/* Longest subject that is kept. */
#define TLS_NAME_BYTES_MAX 512u
/* Of a protocol's name by ALPN: "http/1.1" and its length. */
#define TLS_ALPN_BYTES_MAX 16u
/* Of all names that a context speaks, each with its length: "h2,http/1.1" takes 12. */
#define TLS_ALPN_LIST_BYTES_MAX 48u
/* Names that a peer may have, and bytes of each. */
#define TLS_SANS_MAX 8u
#define TLS_SAN_BYTES_MAX 253u
/* Of an OCSP response: those of large CAs have 500 bytes, with a signer's certificate 2,000. */
#define TLS_STAPLE_BYTES_MAX 16384u
/* Of a client's certificates, which it sends before anybody knows whether one of them counts; the
 * library takes 200 us to read one of P-256. Four of RSA 4096 have 8,000 bytes. */
#define TLS_CHAIN_BYTES_MAX 16384u
/* Identities that one server name can choose from: of each kind of key the last counts. */
#define TLS_IDENTITIES_MAX 64u

/* Why a context could not be made. One list: enum, names, help. */
#define TLS_FAULT_LIST(X)                                                                          \
    X(OK, "fine")                                                                                  \
    X(MEMORY, "out of memory")                                                                     \
    X(CERTIFICATE, "the certificate chain is no PEM or is unusable")                               \
    X(KEY, "the private key is no PEM or is unusable")                                             \
    X(MISMATCH, "the private key does not belong to the certificate")                              \
    X(STAPLE, "the OCSP response is none, or does not call the certificate good")                  \
    X(CA, "the CA bundle is no PEM")                                                               \
    X(CONFIG, "a setting was refused by the library")

enum tls_fault {
#define X(name, help) TLS_FAULT_##name,
    TLS_FAULT_LIST(X)
#undef X
};

enum tls_client_auth {
    TLS_CLIENT_AUTH_NONE,
    TLS_CLIENT_AUTH_FALLBACK, /* asked for, and let in with whatever comes */
    TLS_CLIENT_AUTH_OPTIONAL, /* asked for; one that does not verify ends the
                                 handshake */
    TLS_CLIENT_AUTH_REQUIRED,
};

/* All PEM, in memory: this layer reads no files. */
struct tls_server_config {
    struct slice certificate_chain; /* leaf first */
    struct slice private_key;
    struct slice client_ca; /* what client certificates are verified with; empty
                               with NONE */
    enum tls_client_auth client_auth;
    const char *alpn; /* the protocols that are spoken, the best first: "h2,http/1.1"; NULL: no
                         ALPN. A client that offers only others is refused (RFC 7301, section
                         3.2) */
};

struct tls_client_config {
    struct slice ca;                /* empty: the server is not verified (tests only) */
    struct slice certificate_chain; /* of the client; empty: none */
    struct slice private_key;
    const char *alpn; /* offered, the best first: "h2,http/1.1"; NULL: none */
};

/* A context for servers: what all connections of a listener share. Reading it
 * costs public-key work: make it once. */
enum tls_fault tls_server_new(const struct tls_server_config *config, struct tls_context **ret);

/* Whom a client that asks for some server name is shown, and what it has to show. */
struct tls_choice {
    unsigned n; /* 0: nobody has the name, and the client is told so */
    const struct tls_identity *identities[TLS_IDENTITIES_MAX];
    uint64_t unix_s; /* the time, for OCSP responses; 0: nobody knows, and none is shown */
    enum tls_client_auth client_auth;
    const struct tls_trust *trust; /* what its certificate is verified by; NULL: with NONE */
};

/* Chooses, when the client hello has come. `server_name` is lower case, "" if the client named
 * none. What is chosen has to stay until the call that led here returns. A session is resumed only
 * where the same trust is asked for in the same way. */
typedef void (*tls_pick_fn)(void *arg, const char *server_name, struct tls_choice *ret);

/* How a handshake of a server of many names can end: X(name, help). */
#define TLS_HANDSHAKE_LIST(X)                                                                      \
    X(full, "with a new session")                                                                  \
    X(resumed, "with a session from before")                                                       \
    X(unknown_name, "nobody has the name that the client asked for")                               \
    X(no_common, "no version, suite or protocol in common")                                        \
    X(peer_alert, "the client refused: it may not trust the certificate")                          \
    X(no_certificate, "the client has to show a certificate, and has none")                        \
    X(bad_certificate, "the client's certificate does not verify")                                 \
    X(garbage, "what came is no TLS")                                                              \
    X(broken, "another breach of the protocol")                                                    \
    X(slow, "it took too long")                                                                    \
    X(shed, "too many others waited for their turn")                                               \
    X(lost, "the connection ended within")

enum tls_handshake {
#define X(name, help) TLS_HANDSHAKE_##name,
    TLS_HANDSHAKE_LIST(X)
#undef X
};

/* The owner of a server of many names; `arg` is what tls_accept_by_name() was given. */
struct tls_front_ops {
    tls_pick_fn pick;
    void (*on_handshake)(void *arg, enum tls_handshake end); /* once for each, unless the owner
                                                                 lets go before */
    void (*on_flood)(void *arg); /* the client is cut off: TLS_UPDATES_MAX. NULL: nobody asks */
};

/* A context for a server of many names. `alpn`: as in tls_server_config. `tickets`: of sessions to
 * resume, NULL: none are. It and `ops` stay. */
enum tls_fault tls_front_new(const char *alpn, const struct tls_front_ops *ops,
                             const struct tls_tickets *tickets, struct tls_context **ret);

/* A context for clients. */
enum tls_fault tls_client_new(const struct tls_client_config *config, struct tls_context **ret);

/* What a name in a certificate is: of a host (with a wildcard only for one with that wildcard), or
 * a URI, byte for byte (RFC 5280, section 4.2.1.6). */
struct tls_san {
    struct slice text; /* at most TLS_SAN_BYTES_MAX, no NUL in it */
    bool is_uri;
};

/* Whom a client's end wants to meet, and who it is itself. Needed only while the stream is made. */
struct tls_wanted_peer {
    struct slice server_name;            /* that it asks for (SNI), as a SAN */
    const struct tls_trust *trust;       /* its certificate leads there, */
    const struct tls_san *sans;          /* and has one of these names */
    unsigned n_sans;                     /* 1..TLS_SANS_MAX */
    const struct tls_identity *identity; /* that is shown to who asks; NULL: none */
    const char *alpn;                    /* the one protocol that is offered; NULL: none */
};

/* A context for clients that each meet a peer of their own. */
enum tls_fault tls_back_new(struct tls_context **ret);

/* Gives the context up; connections made with it live on. NULL is fine. */
void tls_context_free(struct tls_context *context);

/* A server's end over `lower`, which was just accepted. Takes `lower`; its
 * on_event and owner are ours from now on. `wheel` is that of the worker or
 * loop. NULL: out of memory, `lower` is as it was. */
struct stream *tls_accept(struct tls_context *context, struct stream *lower, struct wheel *wheel);

/* The same by a context of many names. */
struct stream *tls_accept_by_name(struct tls_context *context, struct stream *lower,
                                  struct wheel *wheel, void *pick_arg);

/* A client's end over `lower`, established or opening. `server_name` goes into
 * SNI and must be in the server's certificate (a host name or an address in
 * text); NULL: neither. */
struct stream *tls_connect(struct tls_context *context, struct stream *lower, struct wheel *wheel,
                           const char *server_name);

/* The same by a context of tls_back_new(). When the peer is somebody else, the handshake ends:
 * STREAM_END_PROTOCOL. */
struct stream *tls_connect_to(struct tls_context *context, struct stream *lower,
                              struct wheel *wheel, const struct tls_wanted_peer *peer);

/* The calling thread has done with all streams of tls: gives back what the library keeps for it. */
void tls_thread_done(void);

/* Is the handshake done? */
bool tls_is_established(const struct stream *s);

/* The verified client certificate's subject as RFC 2253 text
 * ("CN=sluice-controller,O=..."); "" if there is none. Lives as long as the
 * stream. */
const char *tls_peer_subject(const struct stream *s);

/* The name of the server that the client asked for, lower case; "" if it named none. Of one made by
 * tls_accept_by_name(), once it is established. */
const char *tls_server_name(const struct stream *s);

/* The protocol that ALPN chose; "" if none. */
const char *tls_alpn(const struct stream *s);

/* Why it broke, in words for a log; "" if it did not. */
const char *tls_error(const struct stream *s);

/* "MISMATCH" and so on. */
const char *tls_fault_name(enum tls_fault fault);

/* The sentence that explains the fault. */
const char *tls_fault_help(enum tls_fault fault);
