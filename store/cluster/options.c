#include "store/cluster/options.h"

#include <stdlib.h>

void cluster_options_done(struct cluster_options *options)
{
    for (size_t i = 0; i < options->hosts_count; i++) {
        free(options->host[i]);
    }
    free(options->cluster);
    free(options->database);
    free(options->user);
    free(options->password_file);
    free(options->ca_file);
    free(options->writer);
    *options = (struct cluster_options){0};
}
