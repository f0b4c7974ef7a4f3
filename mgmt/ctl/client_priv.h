/* SPDX-License-Identifier: Apache-2.0 */
/* The client's insides, shared by client.c and discovery.c. */
#pragma once

#include "ctl/client.h"

#include <curl/curl.h>

struct client {
    CURL *curl;
    char *server;
    char *authorization; /* the whole header line; NULL: none */
    char *ca_file;
    json_t *resources; /* all APIResources with their groupVersion; NULL: not asked yet */
    char error[CURL_ERROR_SIZE];
};
