/* SPDX-License-Identifier: Apache-2.0 */
/* flows: what the workers know of their flows, for a person or as a line of JSON each. Owner:
 * sluicectl's main; thread: one. */
#include "abi/flow.h"
#include "abi/image.h"
#include "base/container.h"
#include "ctl/match.h"
#include "ctl/observe.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --state: a name of FLOW_STATE_LIST, without case. */
static bool parse_state(const char *name, uint32_t *ret_states)
{
    if (name == NULL)
        return true;
    for (unsigned i = 0; i < FLOW_STATES; i++) {
        if (strcasecmp(name, flow_state_name(i)) == 0) {
            *ret_states = 1u << i;
            return true;
        }
    }
    fprintf(stderr, "sluicectl: %s: no state of a flow; one of", name);
    for (unsigned i = 0; i < FLOW_STATES; i++)
        fprintf(stderr, " %s", flow_state_name(i));
    fputc('\n', stderr);
    return false;
}

static json_t *name_json(const char *name)
{
    return name != NULL ? json_string(name) : json_null();
}

static json_t *flags_json(uint32_t flags)
{
    json_t *names = json_array();
    for (unsigned i = 0; i < FLOW_FLAGS; i++) {
        if (flags & 1u << i)
            json_array_append_new(names, json_string(flow_flag_name(i)));
    }
    return names;
}

static json_t *address_json(const struct ip_addr *address)
{
    char text[IP_ADDR_TEXT_MAX];
    return json_string(ip_addr_format(address, text));
}

/* A value of each type of FLOW(). */
#define JSON_address(value) address_json(&(value))
#define JSON_text(value) json_stringn(value, strnlen(value, FLOW_TEXT_BYTES))
#define JSON_u8(value) json_integer(value)
#define JSON_u16(value) json_integer(value)
#define JSON_u32(value) json_integer(value)
#define JSON_i32(value) json_integer(value)
#define JSON_u64(value) json_integer((json_int_t)(value))
#define JSON_state(value) name_json(flow_state_name(value))
#define JSON_owner(value) name_json(flow_owner_name(value))
#define JSON_timer(value) name_json(flow_timer_name(value))
#define JSON_flags(value) flags_json(value)
#define JSON_protocol(value) json_string(protocol_name(value))
#define JSON_forwarding(value) name_json(forwarding_name(value))

static const char *forwarding_name(uint8_t forwarding)
{
    return forwarding < IMAGE_FORWARDINGS ? image_forwarding_name((enum image_forwarding)forwarding)
                                          : NULL;
}

/* IP's number as its name. */
static const char *protocol_name(uint8_t protocol)
{
    return protocol == IPPROTO_UDP ? "UDP" : "TCP";
}

/* What every record has. */
static json_t *object_of(const struct observe_record *head)
{
    json_t *object = json_object();
    json_object_set_new(object, "worker", json_integer(head->worker));
    return object;
}

/* A line of its own, and the object is gone. */
static void print_object(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_json(const struct observe_flow *f)
{
    json_t *object = object_of(&f->head);
#define FLOW(type, name, help) json_object_set_new(object, #name, JSON_##type(f->name));
#include "abi/flow_fields.def"
#undef FLOW
    print_object(object);
}

static void print_forwarded_json(const struct observe_forwarded *f)
{
    json_t *object = object_of(&f->head);
#define FLOW(type, name, help) json_object_set_new(object, #name, JSON_##type(f->name));
#include "abi/forwarded_fields.def"
#undef FLOW
    print_object(object);
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text != NULL ? text : otherwise;
}

/* "1.234 ms", for what is measured in us. */
static void print_ms(const char *what, int64_t us)
{
    printf("%s %" PRId64 ".%03" PRId64 " ms", what, us / 1000, (us < 0 ? -us : us) % 1000);
}

static void print_timer(const char *name, int32_t due_us)
{
    if (due_us == 0)
        return;
    printf(" %s", name);
    print_ms(" in", due_us);
}

static void print_timers(const struct observe_flow *f)
{
    fputs("    timers", stdout);
    if (f->timer_due_us == 0 && f->delack_due_us == 0 && f->wait_due_us == 0)
        fputs(" none", stdout);
    print_timer(text_or(flow_timer_name(f->timer), "?"), f->timer_due_us);
    print_timer("delack", f->delack_due_us);
    print_timer("wait", f->wait_due_us);
    printf(", backoff %u\n    flags", f->backoff);
    for (unsigned i = 0; i < FLOW_FLAGS; i++) {
        if (f->flags & 1u << i)
            printf(" %s", flow_flag_name(i));
    }
    putchar('\n');
}

static void print_queue(const char *what, uint32_t bytes, uint32_t mbufs, uint32_t true_bytes)
{
    printf("%s %u (%u packets, %u in memory)", what, bytes, mbufs, true_bytes);
}

static void print_conn(const struct observe_flow *f)
{
    print_ms("    rtt", f->srtt_us);
    print_ms(", min", f->min_rtt_us);
    print_ms(", variation", f->rttvar_us);
    print_ms(", timeout", f->rto_us);
    printf("\n    cwnd %u ssthresh %u %s, flight %u lost %u sacked %u unsent %u, sent again %u, "
           "timeouts %u\n",
           f->cwnd_bytes, f->ssthresh_bytes, f->congestion_control, f->flight_bytes, f->lost_bytes,
           f->sacked_bytes, f->unsent_bytes, f->retransmits, f->timeouts);
    if (f->congestion_phase[0] != '\0') {
        printf("    bbr %s, delivers %" PRIu64 " bytes/s, paced at %" PRIu64, f->congestion_phase,
               f->bandwidth_bytes_per_s, f->pacing_bytes_per_s);
        print_ms(", empty path", f->bbr_min_rtt_us);
        putchar('\n');
    }
    printf("    window of the peer %u (most %u, scale %u), ours %u (scale %u), "
           "mss %u (peer %u, path mtu %u)\n",
           f->snd_wnd_bytes, f->snd_wnd_bytes_max, f->snd_wscale, f->rcv_wnd_bytes, f->rcv_wscale,
           f->mss_bytes, f->peer_mss_bytes, f->path_mtu_bytes);
    print_queue("    queues: to send", f->sndq_bytes, f->sndq_mbufs, f->sndq_true_bytes);
    print_queue(", unread", f->rcvq_bytes, f->rcvq_mbufs, f->rcvq_true_bytes);
    print_queue(", out of order", f->oooq_bytes, f->oooq_mbufs, f->oooq_true_bytes);
    putchar('\n');
}

static void print_flow(const struct observe_flow *f)
{
    char local[MATCH_END_TEXT_BYTES];
    char remote[MATCH_END_TEXT_BYTES];
    printf("%s - %s %s, %s, worker %u", match_end_format(&f->local, f->local_port, local),
           match_end_format(&f->remote, f->remote_port, remote),
           text_or(flow_state_name(f->state), "?"), text_or(flow_owner_name(f->owner), "?"),
           f->head.worker);
    if (f->state == FLOW_TIME_WAIT) {
        print_ms(", ends in", f->wait_due_us);
        putchar('\n');
        return;
    }
    printf(", age %u.%03u s, silent %u.%03u s\n", f->age_ms / 1000, f->age_ms % 1000,
           f->idle_ms / 1000, f->idle_ms % 1000);
    print_conn(f);
    print_timers(f);
}

static void print_forwarded(const struct observe_forwarded *f)
{
    char client[MATCH_END_TEXT_BYTES], vip[MATCH_END_TEXT_BYTES];
    char source[MATCH_END_TEXT_BYTES], endpoint[MATCH_END_TEXT_BYTES];
    printf("%s - %s %s, %s by %s, worker %u, age %u.%03u s, silent %u.%03u s\n",
           match_end_format(&f->vip, f->vip_port, vip),
           match_end_format(&f->client, f->client_port, client),
           text_or(flow_state_name(f->state), "?"), protocol_name(f->protocol),
           text_or(forwarding_name(f->forwarding), "?"), f->head.worker, f->age_ms / 1000,
           f->age_ms % 1000, f->idle_ms / 1000, f->idle_ms % 1000);
    printf("    %s - %s, up %" PRIu64 " packets (%" PRIu64 " bytes), down %" PRIu64
           " packets (%" PRIu64 " bytes)\n",
           match_end_format(&f->source, f->source_port, source),
           match_end_format(&f->endpoint, f->endpoint_port, endpoint), f->up_packets, f->up_bytes,
           f->down_packets, f->down_bytes);
    if (f->answer_us == 0)
        fputs("    not answered", stdout);
    else
        print_ms("    answered in", f->answer_us);
    printf(", kept %u.%03u s without a packet\n", f->kept_ms / 1000, f->kept_ms % 1000);
}

static bool begin(void *owner, const struct observe_scene *scene)
{
    return true;
}

static void show_flow(const struct ctl_options *o, const struct observe_flow *f)
{
    if (o->output == CTL_JSON)
        print_json(f);
    else
        print_flow(f);
}

static void show_forwarded(const struct ctl_options *o, const struct observe_forwarded *f)
{
    if (o->output == CTL_JSON)
        print_forwarded_json(f);
    else
        print_forwarded(f);
}

static bool on_record(void *owner, const struct observe_record *record)
{
    const struct ctl_options *o = owner;
    if (record->type == OBSERVE_RECORD_FLOW && record->bytes == sizeof(struct observe_flow))
        show_flow(o, (const struct observe_flow *)record);
    if (record->type == OBSERVE_RECORD_FORWARDED &&
        record->bytes == sizeof(struct observe_forwarded))
        show_forwarded(o, (const struct observe_forwarded *)record);
    return true;
}

static void end(void *owner, const struct control_observed *observed)
{
    fflush(stdout);
    fprintf(stderr, "%" PRIu64 " flows of %" PRIu64 "%s\n", observed->records, observed->looked,
            observed->is_whole ? "" : ", ended before all were told");
}

enum ctl_exit ctl_flows(const struct ctl_options *o)
{
    struct control_observe request;
    if (!observe_request(o, OBSERVE_FLOWS, &request) || !parse_state(o->state, &request.states))
        return CTL_USAGE;
    struct observer observer = {
        .begin = begin, .on_record = on_record, .end = end, .owner = (void *)(uintptr_t)o};
    return observe_run(o, &request, &observer);
}
