/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of the simulator. */
#pragma once

#define SIM_CLIENTS_MAX 3u
#define SIM_BACKENDS_MAX 4u
#define SIM_HOSTS_MAX (SIM_CLIENTS_MAX + SIM_BACKENDS_MAX)
#define SIM_WORKERS_MAX 2u
#define SIM_REOPENS_MAX 64u   /* connections of one session */
#define SIM_SESSIONS_MAX 64u  /* client connections of a run */
#define SIM_REQUESTS_MAX 512u /* of all sessions together */

#define SIM_VISITS_MAX 16u /* connections that are turned away or cut */
#define SIM_PASSES_MAX 24u /* connections that are passed on */
#define SIM_ASKS_MAX 12u   /* ports from which datagrams are sent */
#define SIM_QUESTIONS_MAX 24u
#define SIM_SHOWN_MAX 8u     /* certificates of all listeners of an image */
#define SIM_CORES_MAX 2u     /* crypto cores of the appliance */
#define SIM_CORE_JOBS_MAX 4u /* steps of handshakes that one of them is at */
#define SIM_RETRIES 2u       /* by the policy of rules that have one */
#define SIM_TROUBLES_MAX 24u
#define SIM_CROWD_MAX 10000u /* connections that rest */

/* Frames on the wires at the same time; a full wire drops. */
#define SIM_FRAMES_MAX 16384u
#define SIM_FRAME_BYTES_MAX 1600u

/* Packet buffers of all hosts, of an appliance that has enough, and of one that has not. */
#define SIM_HOST_MBUFS 24575u
#define SIM_BOX_MBUFS 8191u
#define SIM_BOX_MBUFS_FEW 640u

/* Longer, and a client's next request may meet the appliance's end of the connection on its way. */
#define SIM_THINK_MS_MAX 74000u

/* Rounds without time passing: more is a livelock. */
#define SIM_ROUNDS_MAX 20000u

/* Steps from one look at every connection's invariants to the next. */
#define SIM_DEEP_STEPS 512u

/* A whole run, in virtual time: beyond the sum of all timeouts a session can meet. */
#define SIM_RUN_US_MAX (1800ull * 1000000)

/* After that a flow is forgotten whose ends said nothing of theirs: whoever resets, and is not
 * heard. Longer than a host waits before it asks whether the other is still there. */
#define SIM_L4_IDLE_MS 150000u

/* After the last session: idle connections time out, TIME_WAIT ends. */
#define SIM_DRAIN_US_MAX (400ull * 1000000)
