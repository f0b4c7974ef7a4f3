/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Housekeeping of images: to the workers, to the disk, and away when nobody looks at them. Thread:
 * housekeeping's.
 */
#include "housekeeping_priv.h"

#include "core/port_setup.h"

#include "base/assert.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

uint64_t housekeeping_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void housekeeping_wait_us(unsigned us)
{
    struct timespec wait = {.tv_nsec = (long)us * 1000};
    nanosleep(&wait, NULL);
}

static void add_device_counters(uint16_t dpdk_port, struct rte_eth_stats *sum)
{
    struct rte_eth_stats stats;
    if (!rte_eth_dev_is_valid_port(dpdk_port) || rte_eth_stats_get(dpdk_port, &stats) != 0)
        return;
    sum->imissed += stats.imissed;
    sum->rx_nombuf += stats.rx_nombuf;
    sum->ierrors += stats.ierrors;
    sum->oerrors += stats.oerrors;
}

/* What the devices dropped themselves, which no worker ever sees. */
static void set_device_counters(struct housekeeping *h)
{
    struct rte_eth_stats sum = {0};
    for (unsigned i = 0; i < h->n_ports; i++) {
        add_device_counters(h->ports[i].info.dpdk_port, &sum); /* of members the first */
        for (unsigned k = 1; k < h->ports[i].n_members; k++)
            add_device_counters(h->ports[i].members[k].dpdk_port, &sum);
    }
    uint64_t *counters = h->stats->counters;
    counters[STAT_core_port_rx_missed] = sum.imissed;
    counters[STAT_core_port_rx_no_mbuf] = sum.rx_nombuf;
    counters[STAT_core_port_rx_errors] = sum.ierrors;
    counters[STAT_core_port_tx_errors] = sum.oerrors;
}

void housekeeping_set_gauges(struct housekeeping *h)
{
    uint64_t *counters = h->stats->counters;
    counters[STAT_core_generations_now] = generation_live_count(h->generations);
    counters[STAT_core_identities_now] = keyring_count(h->keys);
    counters[STAT_core_identities_read] = keyring_count_read(h->keys);
    counters[STAT_core_maglevs_now] = endpoint_table_maglevs(h->endpoints);
    counters[STAT_core_maglevs_missing_now] = endpoint_table_maglevs_missing(h->endpoints);
    counters[STAT_core_pins_now] = generation_pin_count(h->generations);
    if (h->mbufs != NULL)
        counters[STAT_core_mbufs_now] = rte_mempool_in_use_count(h->mbufs);
    uint64_t now_ms = housekeeping_now_ms();
    if (h->ports == NULL || now_ms - h->devices_ms < DEVICES_LOOK_MS)
        return;
    h->devices_ms = now_ms;
    set_device_counters(h);
}

/* Gives the image to the workers; false: no place is free. */
static bool try_publish(struct housekeeping *h, const struct image_map *image)
{
    const struct image_header *header = image->data;
    if (!generation_publish(h->generations, image->data, image->length, image->companion))
        return false;
    h->published = (struct generation_mark){.generation = header->generation,
                                            .content_checksum = header->content_checksum};
    return true;
}

/* The last good image is what the next process begins with. */
static void save_image(struct housekeeping *h, const struct image_map *image)
{
    if (state_file_write(h->state, IMAGE_FILE_NAME, image->data, image->length))
        return;
    housekeeping_count(h, STAT_core_state_write_failed);
    housekeeping_report("the image was not written to disk: %s", strerror(errno));
}

void housekeeping_publish(struct housekeeping *h, const struct image_map *image)
{
    const struct image_header *header = image->data;
    ASSERT(header->generation > h->newest_generation);
    h->newest_generation = header->generation;
    housekeeping_drop_image(&h->waiting);
    generation_set_reap(h->generations);
    if (!try_publish(h, image)) {
        housekeeping_count(h, STAT_core_publish_waits);
        h->waiting = *image;
    }
    save_image(h, image);
}

/* Checks, copies and loads what the file had. */
static bool take_bytes(struct housekeeping *h, const void *data, size_t length,
                       struct image_map *ret, struct image_refusal *ret_refusal)
{
    if (!image_intake_check(data, length, h->n_ports, ret_refusal))
        return false;
    *ret = (struct image_map){.data = image_intake_copy(data, length), .length = length};
    if (ret->data == NULL) {
        snprintf(ret_refusal->text, sizeof(ret_refusal->text), "no memory for a copy");
        return false;
    }
    if (image_intake_companion(ret, h->keys, h->workers, ret_refusal))
        return true;
    housekeeping_drop_image(ret);
    return false;
}

void housekeeping_load_image(struct housekeeping *h)
{
    void *data;
    size_t length;
    struct image_refusal refusal;
    if (!state_file_read(h->state, IMAGE_FILE_NAME, IMAGE_BYTES_MAX, &data, &length)) {
        if (errno == ENOENT)
            return;
        housekeeping_count(h, STAT_core_state_damaged);
        housekeeping_report("the last image cannot be read: %s", strerror(errno));
        return;
    }
    struct image_map image = {0};
    bool is_good = take_bytes(h, data, length, &image, &refusal);
    state_file_unmap(data, length);
    if (!is_good) {
        housekeeping_count(h, STAT_core_state_damaged);
        housekeeping_report("the last image is refused and moved aside: %s", refusal.text);
        state_file_set_aside(h->state, IMAGE_FILE_NAME);
        return;
    }
    bool is_published = try_publish(h, &image);
    ASSERT(is_published); /* it is the first */
    h->newest_generation = h->published.generation;
}

void housekeeping_note_log(struct housekeeping *h, const struct endpoint_log_found *found)
{
    if (found->is_torn)
        housekeeping_report("the last entry of the endpoint log was cut off and is dropped");
    if (!found->is_damaged)
        return;
    housekeeping_count(h, STAT_core_state_damaged);
    housekeeping_report("the endpoint log is damaged after %u records, and moved aside",
                        found->records);
}

void housekeeping_follow(struct housekeeping *h)
{
    generation_set_reap(h->generations);
    if (h->waiting.data != NULL && try_publish(h, &h->waiting))
        h->waiting = (struct image_map){0};
    if (h->served.generation == h->published.generation ||
        generation_served(h->generations) < h->published.generation)
        return;
    h->served = h->published;
    struct control_generation served = {.generation = h->served.generation};
    if (control_manager(h->server) != NULL)
        control_send(control_manager(h->server), CONTROL_GENERATION, 0, &served, sizeof(served),
                     -1);
}

void housekeeping_mirror(struct housekeeping *h)
{
    if (h->mirror == NULL || h->mirrored_generation == h->published.generation)
        return;
    h->mirrored_generation = h->published.generation;
    const struct image_view *view = generation_view(generation_current(h->generations));
    h->stats->counters[STAT_core_mirror_faults] +=
        mirror_apply(h->mirror, view, housekeeping_report);
}

void housekeeping_sync(struct housekeeping *h)
{
    uint64_t now = housekeeping_now_ms();
    if (now - h->synced_ms < STATE_SYNC_MS_MAX)
        return;
    h->synced_ms = now;
    if (endpoint_log_sync(h->log))
        return;
    housekeeping_count(h, STAT_core_state_write_failed);
    housekeeping_report("endpoints were not brought to the disk: %s", strerror(errno));
}

int housekeeping_timeout_ms(const struct housekeeping *h, int wanted_ms)
{
    if (h->reading.peer != NULL)
        return 0; /* there is more to do at once */
    bool is_somebody_moving = h->waiting.data != NULL ||
                              h->served.generation != h->published.generation ||
                              housekeeping_is_observed(h) || h->access.file != NULL;
    if (h->vrrp.masters != NULL && wanted_ms > VRRP_LISTEN_MS)
        wanted_ms = VRRP_LISTEN_MS;
    if (h->links != NULL && wanted_ms > (int)LINKS_LOOK_MS)
        wanted_ms = (int)LINKS_LOOK_MS;
    return is_somebody_moving && wanted_ms > FOLLOW_MS ? FOLLOW_MS : wanted_ms;
}
