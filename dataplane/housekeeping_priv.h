/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by housekeeping*.c. Owner, thread: housekeeping. */
#pragma once

#include "abi/observe.h"
#include "access/access_file.h"
#include "control_server.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "endpoint_log.h"
#include "housekeeping.h"
#include "image_intake.h"
#include "keyring.h"
#include "mirror/mirror.h"
#include "obs/obs_limits.h"
#include "sealed.h"
#include "state_file.h"

/* mgmtd keeps its own files in the state directory. */
#define STATE_DIR_NAME "dataplane"
#define IMAGE_FILE_NAME "image"
#define KEYS_FILE_NAME "keys" /* mode 0600 in a directory of mode 0700, as all of them */

/* How often the devices are asked what they dropped: some answer by a slow bus or system call. */
#define DEVICES_LOOK_MS 1000u

/* How long appended endpoints may wait for the disk. */
#define STATE_SYNC_MS_MAX 1000u

/* How long one endpoint record may wait for a worker: 100 ms is 200 rounds of a sleepy one. */
#define ENDPOINT_WAIT_US 100u
#define ENDPOINT_WAITS_MAX 1000u

/* How often the workers' reports and records are looked at while somebody waits for them. */
#define FOLLOW_MS 1

/* Messages of records to one observer in one poll, so that none keeps the others waiting. */
#define OBSERVE_MSGS_PER_POLL 16u

/* How long an observer may take to read the end of what it asked for, when its time is over. */
#define OBSERVE_LINGER_MS_MAX 5000u

/* Lines of the access log in one poll, so that messages wait for no more than some ms of them. */
#define ACCESS_LINES_PER_POLL 4096u

/* How often it is told, at most, that the access log's file cannot be written. */
#define ACCESS_TELL_MS 60000u

/* Where keepalived tells, and how many reads one poll takes: a line each is 40 bytes. */
#define VRRP_FIFO_NAME "vrrp.fifo"
#define VRRP_READS_PER_POLL 8u

/* How long keepalived may have let go of the FIFO: reading its configuration again takes it tens of
 * milliseconds on an idle machine. One that was killed is started again sooner than that, and says
 * BACKUP first. */
#define VRRP_SILENCE_MS_MAX 3000u

/* How long a change of VRRP waits at most: a part of what the other box took to notice. */
#define VRRP_LISTEN_MS 10

/* How often members' carriers are looked at: what is on its way when a cable is pulled is lost and
 * sent again soon enough, and a look is a system call for each. */
#define LINKS_LOOK_MS 50u

/* What listens to keepalived. */
struct vrrp_ear {
    struct masters *masters; /* NULL: nobody is listened to */
    int fd;
    bool has_speaker;   /* somebody has opened the other end */
    uint64_t silent_ms; /* since when nobody has; 0: somebody has */
    size_t n_bytes;     /* of a line that is not whole yet */
    char bytes[512];
};

/* A generation and what is in it. */
struct generation_mark {
    uint64_t generation; /* 0: none */
    uint64_t content_checksum;
};

/* What one peer looks at. */
struct observation {
    struct control_peer *peer; /* NULL: the place is free */
    uint64_t id;               /* of its OBSERVE */
    unsigned slot;             /* of the hub */
    uint32_t kind;             /* enum observe_kind */
    bool wants_query;          /* REQUESTS */
    uint64_t until_ms;
    bool is_answered; /* its RESULT went out: all workers look */
    bool is_ending;
    bool is_cut; /* by a bound on all workers together, by time or by STOP */
    uint64_t records_left;
    uint64_t bytes_left;
    uint64_t records; /* put into messages */
    uint64_t bytes;
    uint32_t n_waiting; /* bytes of `waiting`, the next message */
    uint8_t *waiting;
};

/* The access log. */
struct access_log {
    struct access_file *file; /* NULL: there is none */
    unsigned slot;            /* of the hub */
    uint64_t fields;
    uint64_t told_ms; /* when a fault of the file was reported; 0: never */
    char path[256];   /* for that report */
};

/* Where counting the endpoints that rest has come to. */
struct ejected_count {
    uint64_t generation; /* of the image that is gone through */
    uint32_t row;        /* of its health policies: the next */
    uint32_t sum;
};

/* A segment of keys that is being taken in. */
struct keys_reading {
    struct control_peer *peer; /* who sent it, and is held meanwhile; NULL: there is none */
    struct control_msg msg;
    void *data;
    size_t length;
};

struct housekeeping {
    unsigned workers;
    unsigned n_ports;
    char port_names[CONTROL_PORTS_MAX][CONTROL_PORT_NAME_BYTES];
    const struct port_setup *ports; /* NULL: no devices are behind the names */
    struct links *links;            /* NULL: no port has members */
    bool (*has_carrier)(const char *iface);
    uint64_t links_ms; /* when their carriers were looked at */
    struct endpoint_table *endpoints;
    struct stats_worker *stats;
    struct rte_mempool *mbufs; /* NULL: none */
    int telemetry_fd;
    struct generation_set *generations;
    struct keyring *keys;
    struct keys_reading reading;
    struct tls_tickets *tickets; /* NULL: none */
    struct state_dir *state;
    struct endpoint_log *log;
    struct control_server *server;
    struct generation_mark served;    /* that every worker serves, and that the manager was told */
    struct generation_mark published; /* the newest that workers can see */
    uint64_t newest_generation;       /* accepted, published or waiting */
    struct image_map waiting;         /* accepted, but GENERATIONS_MAX are alive; data NULL: none */
    struct mirror *mirror;            /* NULL: none */
    uint64_t mirrored_generation;     /* what it was given */
    struct vrrp_ear vrrp;
    struct obs_hub *obs; /* NULL: nobody can look */
    uint64_t (*now_us)(void);
    struct observation observations[OBS_PEERS_MAX];
    struct access_log access;
    struct ejected_count ejected;
    uint64_t devices_ms; /* when the devices' counters were looked at */
    uint64_t synced_ms;  /* when appended endpoints were last brought to the disk */
};

/* Writes a line for the operator to stderr, where the service manager keeps it. */
void housekeeping_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts in housekeeping's own block. */
void housekeeping_count(struct housekeeping *h, enum stat_id id);

/* Unmaps an image that nobody serves, if there is one. */
void housekeeping_drop_image(struct image_map *image);

/* Makes an accepted image current, now or as soon as a place is free; it belongs to housekeeping.
 * One that still waits is superseded. */
void housekeeping_publish(struct housekeeping *h, const struct image_map *image);

/* KEYS: begins to take in a segment of keys, or refuses it and answers. What its sender says
 * meanwhile waits, for an image that needs them comes next. False: it is no such message. */
bool housekeeping_take_keys(struct housekeeping *h, struct control_peer *peer,
                            const struct control_msg *msg, const void *body, int fd);

/* Goes on with it by one step; at the end, answers. */
void housekeeping_read_keys(struct housekeeping *h);

/* The peer is gone: a segment of its that is not all read yet is given up. */
void housekeeping_forget_keys(struct housekeeping *h, const struct control_peer *peer);

/* Loads the keys that the last process had. Before its image. */
void housekeeping_load_keys(struct housekeeping *h);

/* Answers a request. */
void housekeeping_answer(struct control_peer *peer, const struct control_msg *msg, uint32_t fault,
                         uint64_t offset, uint64_t subject, const char *text);

/* Publishes the image that the last process left, if it is good. Before the workers start. */
void housekeeping_load_image(struct housekeeping *h);

/* Counts and reports what was found in the endpoint log. */
void housekeeping_note_log(struct housekeeping *h, const struct endpoint_log_found *found);

/* Frees old images, publishes one that waits, and tells the manager when all workers have moved. */
void housekeeping_follow(struct housekeeping *h);

/* Gives the published image to the mirror. */
void housekeeping_mirror(struct housekeeping *h);

/* Makes the FIFO in the run directory and listens; `masters` NULL: not at all. False: errno. */
bool housekeeping_vrrp_begin(struct housekeeping *h, const char *run_dir, struct masters *masters);

/* Takes what keepalived has told. */
void housekeeping_vrrp_listen(struct housekeeping *h);

/* Ends it. */
void housekeeping_vrrp_end(struct housekeeping *h);

/* Where the member that a port uses has no carrier, turns to one that has. */
void housekeeping_links_follow(struct housekeeping *h);

/* Sets the gauges that workers do not keep: images, holds on them, mbufs. */
void housekeeping_set_gauges(struct housekeeping *h);

/* Goes on counting the endpoints that rest. */
void housekeeping_count_ejected(struct housekeeping *h);

/* Brings endpoints to the disk when it is time. */
void housekeeping_sync(struct housekeeping *h);

/* `wanted_ms`, or less while workers are on their way to a new image. */
int housekeeping_timeout_ms(const struct housekeeping *h, int wanted_ms);

/* A monotonic clock. */
uint64_t housekeeping_now_ms(void);

/* OBSERVE: checks the request, begins, answers. False: it is no such message. */
bool housekeeping_observe(struct housekeeping *h, struct control_peer *peer,
                          const struct control_msg *msg, const void *body);

/* STOP: what the peer looks at ends. False: it looks at nothing, or it is no such message. */
bool housekeeping_stop_observing(struct housekeeping *h, const struct control_peer *peer,
                                 const struct control_msg *msg);

/* Passes on what the workers have told; ends what is over. */
void housekeeping_pass_records(struct housekeeping *h);

/* The peer is gone: what it looked at ends. */
void housekeeping_forget_observer(struct housekeeping *h, const struct control_peer *peer);

/* UNIX time when the workers' time was 0, in us. */
uint64_t housekeeping_epoch_us(const struct housekeeping *h);

/* Room for a line, as it goes to who looks at requests. */
struct access_line_room {
    struct observe_line line;
    char text[ACCESS_LINE_BYTES_MAX + 8]; /* of it, and padding */
};

/* A request that a worker told of, as a line; it is in `room`. Its names are null if its image has
 * gone meanwhile. */
const struct observe_record *housekeeping_access_line(const struct housekeeping *h,
                                                      const struct observe_record *record,
                                                      bool wants_query,
                                                      struct access_line_room *room);

/* Begins the access log, if the configuration wants one. False: no memory, or no thread. */
bool housekeeping_access_begin(struct housekeeping *h, const struct housekeeping_access *config);

/* Writes down the requests that the workers have told of, at most so many. */
void housekeeping_access_write(struct housekeeping *h, unsigned lines_max);

/* All of them, before an image goes: their names are in it. */
void housekeeping_access_catch_up(struct housekeeping *h);

/* Counts what the access log lost, and tells the operator that its file cannot be written. */
void housekeeping_access_follow(struct housekeeping *h);

/* Ends it: what is left is written as far as that can be done soon. */
void housekeeping_access_end(struct housekeeping *h);

/* Is anything being looked at? */
bool housekeeping_is_observed(const struct housekeeping *h);

/* Sleeps. */
void housekeeping_wait_us(unsigned us);
