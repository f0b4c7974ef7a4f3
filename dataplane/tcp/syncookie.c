/* SPDX-License-Identifier: Apache-2.0 */
/* SYN cookies: made and read back. */
#include "tcp/syncookie.h"

#include "base/assert.h"
#include "base/container.h"

#include <string.h>

#define CLASSES 8u
#define MAC_BITS 27u
#define MAC_MASK ((1u << MAC_BITS) - 1)
#define CLASS_SHIFT MAC_BITS
#define EPOCH_SHIFT 30u
#define TIMESTAMP_MASK ((1u << TCP_COOKIE_TIMESTAMP_BITS) - 1)
#define NO_TIMESTAMP (TIMESTAMP_MASK + 1) /* no six bits say this */
#define SACK_BIT 0x10u
#define ECN_BIT 0x20u

static_assert(EPOCH_SHIFT + 2 == 32 && CLASS_SHIFT + 3 == EPOCH_SHIFT, "the number is full");
static_assert(TCP_COOKIE_EPOCHS == 4 && CLASSES == 8, "two and three bits");

/*
 * MSS classes: what peers tell in practice, and something for each who tells less. IPv4: ethernet
 * 1460; 1440 stands for PPPoE (1452) too, 1360 for the VPNs (1380); then mobile networks and
 * tunnels, 536 of RFC 9293, and the least that we take. IPv6: ethernet 1440, 6in4 1420, 1220 what
 * every link carries.
 */
static const uint16_t classes_4[CLASSES] = {
    TCP_MSS_MIN, TCP_MSS_DEFAULT_4, 1220, 1300, 1360, 1400, 1440, 1460};
static const uint16_t classes_6[CLASSES] = {TCP_MSS_MIN, 536, TCP_MSS_DEFAULT_6, 1300, 1360, 1400,
                                            1420,        1440};

static const uint16_t *classes_of(const struct flow_tuple *tuple)
{
    return ip_addr_is_v4(&tuple->remote) ? classes_4 : classes_6;
}

/* The largest class that is not above `mss`. */
static uint32_t class_of(const uint16_t *classes, uint16_t mss)
{
    uint32_t at = CLASSES - 1;
    ASSERT_HOT(mss >= classes[0]);
    while (classes[at] > mss)
        at--;
    return at;
}

void tcp_cookies_init(struct tcp_cookies *k, const struct siphash_key *boot)
{
    *k = (struct tcp_cookies){.boot = *boot};
    for (unsigned i = 0; i < TCP_COOKIE_EPOCHS; i++)
        k->secrets[i].epoch = UINT64_MAX; /* none derived yet */
}

/* One half of an epoch's secret. */
static uint64_t derive(const struct siphash_key *boot, const char label[8], uint64_t epoch)
{
    uint8_t bytes[16];
    memcpy(bytes, label, 8);
    memcpy(bytes + 8, &epoch, 8);
    return siphash(boot, bytes, sizeof(bytes));
}

static const struct siphash_key *secret_of(struct tcp_cookies *k, uint64_t epoch)
{
    unsigned at = epoch % TCP_COOKIE_EPOCHS;
    ASSERT_HOT(epoch != UINT64_MAX);
    if (k->secrets[at].epoch != epoch) {
        k->secrets[at].epoch = epoch;
        k->secrets[at].key.k0 = derive(&k->boot, "cookie.0", epoch);
        k->secrets[at].key.k1 = derive(&k->boot, "cookie.1", epoch);
    }
    return &k->secrets[at].key;
}

/* What of the SYN every part of the number depends on. */
static uint64_t hash_syn(const struct tcp_cookies *k, const struct flow_tuple *tuple,
                         seq_t peer_iss, uint32_t bits)
{
    struct {
        char label[8];
        struct flow_tuple tuple;
        uint32_t peer_iss;
        uint32_t bits;
    } message = {{0}, *tuple, peer_iss.v, bits};
    static_assert(sizeof(message) == 52, "no padding in a hashed message");
    memcpy(message.label, "tcp.cook", sizeof(message.label));
    return siphash(&k->boot, &message, sizeof(message));
}

static uint32_t mac_of(struct tcp_cookies *k, uint64_t epoch, uint64_t syn_hash, uint32_t class)
{
    uint64_t message[2] = {syn_hash, class};
    return (uint32_t)siphash(secret_of(k, epoch), message, sizeof(message)) & MAC_MASK;
}

/* The six bits of the timestamp, or that there is none. */
static uint32_t bits_of(const struct tcp_cookie_terms *terms)
{
    if (!terms->has_timestamps)
        return NO_TIMESTAMP;
    ASSERT_HOT(terms->wscale <= TCP_COOKIE_NO_WSCALE);
    return terms->wscale | (terms->has_sack ? SACK_BIT : 0) | (terms->has_ecn ? ECN_BIT : 0);
}

struct tcp_cookie_terms tcp_cookie_terms(const struct tcp_options *syn, bool is_v4)
{
    struct tcp_cookie_terms terms = {
        .mss = is_v4 ? TCP_MSS_DEFAULT_4 : TCP_MSS_DEFAULT_6,
        .wscale = TCP_COOKIE_NO_WSCALE,
        .has_timestamps = syn->has_timestamps,
    };
    if (syn->has_mss)
        terms.mss = syn->mss < TCP_MSS_MIN ? TCP_MSS_MIN : syn->mss;
    if (!syn->has_timestamps)
        return terms;
    terms.has_sack = syn->has_sack_permitted;
    if (syn->has_wscale)
        terms.wscale = syn->wscale;
    return terms;
}

seq_t tcp_cookie_make(struct tcp_cookies *k, const struct flow_tuple *tuple, seq_t peer_iss,
                      const struct tcp_cookie_terms *terms, uint64_t now_us)
{
    uint64_t epoch = now_us / TCP_COOKIE_EPOCH_US;
    uint32_t class = class_of(classes_of(tuple), terms->mss);
    uint64_t hash = hash_syn(k, tuple, peer_iss, bits_of(terms));
    uint32_t mac = mac_of(k, epoch, hash, class);
    uint32_t said = (uint32_t)(epoch % TCP_COOKIE_EPOCHS) << EPOCH_SHIFT | class << CLASS_SHIFT;
    return (seq_t){(uint32_t)(hash >> 32) + (said | mac)};
}

uint32_t tcp_cookie_timestamp(const struct tcp_cookie_terms *terms, uint32_t ts_now)
{
    ASSERT_HOT(terms->has_timestamps);
    uint32_t value = (ts_now & ~TIMESTAMP_MASK) | bits_of(terms);
    return (int32_t)(value - ts_now) > 0 ? value - NO_TIMESTAMP : value;
}

enum tcp_cookie_result tcp_cookie_read(struct tcp_cookies *k, const struct flow_tuple *tuple,
                                       seq_t peer_iss, seq_t number, const uint32_t *echo,
                                       uint64_t now_us, struct tcp_cookie_terms *ret)
{
    uint32_t bits = echo == NULL ? NO_TIMESTAMP : *echo & TIMESTAMP_MASK;
    uint64_t hash = hash_syn(k, tuple, peer_iss, bits);
    uint32_t said = number.v - (uint32_t)(hash >> 32);
    uint32_t class = said >> CLASS_SHIFT & (CLASSES - 1);
    uint64_t now_epoch = now_us / TCP_COOKIE_EPOCH_US;
    uint32_t age = (uint32_t)(now_epoch - (said >> EPOCH_SHIFT)) % TCP_COOKIE_EPOCHS;
    if (age > now_epoch || mac_of(k, now_epoch - age, hash, class) != (said & MAC_MASK))
        return TCP_COOKIE_INVALID;
    if (age > 1)
        return TCP_COOKIE_EXPIRED;
    *ret = (struct tcp_cookie_terms){
        .mss = classes_of(tuple)[class],
        .wscale = echo == NULL ? TCP_COOKIE_NO_WSCALE : bits & TCP_COOKIE_NO_WSCALE,
        .has_timestamps = echo != NULL,
        .has_sack = echo != NULL && (bits & SACK_BIT) != 0,
        .has_ecn = echo != NULL && (bits & ECN_BIT) != 0,
    };
    return TCP_COOKIE_GOOD;
}
