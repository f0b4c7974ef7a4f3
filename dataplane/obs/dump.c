/* SPDX-License-Identifier: Apache-2.0 */
/* The walk of a dump; the owners' looks at their places are dump.h's. */
#include "obs/dump.h"

#include "obs/obs_limits.h"

/* Goes on where the lane's last round ended. */
static unsigned dump_lane(struct obs *o, struct obs_lane *lane, const struct obs_places *places)
{
    unsigned looks = 0;
    unsigned told = 0;
    while (lane->is_on && looks < OBS_LOOKS_PER_ROUND_MAX && told < OBS_FLOWS_PER_ROUND_MAX) {
        if (lane->cursor >= places->first + places->n) {
            if (places->is_last)
                obs_finish(o, lane, true);
            break;
        }
        enum obs_look look = places->look(places->owner, lane, lane->cursor - places->first);
        if (look == OBS_LOOK_FULL)
            break;
        told += look == OBS_LOOK_TOLD;
        lane->looked += look != OBS_LOOK_EMPTY;
        lane->cursor++;
        looks++;
    }
    return looks;
}

unsigned obs_dump(struct obs *o, enum observe_kind kind, const struct obs_places *places)
{
    struct obs_lane *lane = NULL;
    unsigned looks = 0;
    while ((lane = obs_lane_next(o, kind, lane)) != NULL) {
        if (lane->cursor >= places->first)
            looks += dump_lane(o, lane, places);
    }
    return looks;
}
