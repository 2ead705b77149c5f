// store/state_forget.c - all that a feed has said is unsaid, as if nothing had ever come of it.
//
// Incidents stay in memory as withdrawn ones without a revision: whatever comes counts as if it
// were the first word on its id (judge and apply_withdraw in state_apply.c), and so do snapshots
// and coverage.
#include "store/state.h"

#include <stdlib.h>

static bool forget_incident(struct state *state, struct state_feed *feed, struct incident *incident,
                            struct tally_err *err)
{
    if (incident_is_live(incident)) {
        feed->live--;
        if (!state_notify(state, incident, -1, STATE_ALONE, err)) {
            return false;
        }
    }
    incident_set_flags(incident, INCIDENT_WITHDRAWN);
    incidents_set_revision(&feed->incidents, incident, 0);
    return true;
}

bool state_forget(struct state *state, const struct state_batch *batch, struct tally_err *err)
{
    struct state_feed *feed = &state->feed[batch->feed];
    struct incidents_walk walk = {0};
    struct incident *incident;

    while ((incident = incidents_next(&feed->incidents, &walk)) != NULL) {
        if (!forget_incident(state, feed, incident, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < feed->scopes_count; i++) {
        free(feed->scope[i].newest_text);
    }
    feed->scopes_count = 0;
    feed->any_day = false;
    return true;
}
