/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of frames into lanes; see obs/capture.h. */
#include "obs/capture.h"

#include <rte_mbuf.h>
#include <string.h>

/* Does the request mean it? What is no IP is meant by those only who ask for everything. */
static bool is_meant(const struct control_observe *r, const struct obs_frame *f, bool is_ip,
                     unsigned port)
{
    if ((r->ports >> port & 1) == 0 || (r->protocol != 0 && r->protocol != f->protocol))
        return false;
    if (!is_ip)
        return r->n_matches == 0;
    return obs_request_has(r, &f->src, f->src_port, &f->dst, f->dst_port);
}

static void copy(uint8_t *to, const struct rte_mbuf *m, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t n = m->data_len < bytes ? m->data_len : bytes;
        memcpy(to, rte_pktmbuf_mtod(m, const uint8_t *), n);
        to += n;
        bytes -= n;
        m = m->next;
    }
}

static void tell(struct obs *o, struct obs_lane *lane, const struct rte_mbuf *m, unsigned port,
                 bool is_out, uint64_t now_us)
{
    uint32_t bytes = m->pkt_len < lane->request.snap_bytes ? m->pkt_len : lane->request.snap_bytes;
    struct observe_frame *f =
        obs_take(o, lane, OBSERVE_RECORD_FRAME, (uint32_t)sizeof(*f) + bytes, now_us);
    if (f == NULL) {
        obs_lose(lane);
        return;
    }
    f->frame_bytes = m->pkt_len;
    f->captured_bytes = (uint16_t)bytes;
    f->port = (uint8_t)port;
    f->is_out = is_out;
    copy(f->data, m, bytes);
    obs_put(o, lane, f);
}

void obs_capture(struct obs *o, const struct rte_mbuf *m, unsigned port, bool is_out,
                 uint64_t now_us)
{
    struct obs_frame frame;
    bool is_ip = obs_frame_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &frame);
    struct obs_lane *lane = NULL;
    while ((lane = obs_lane_next(o, OBSERVE_CAPTURE, lane)) != NULL) {
        lane->looked++;
        if (is_meant(&lane->request, &frame, is_ip, port))
            tell(o, lane, m, port, is_out, now_us);
    }
}
