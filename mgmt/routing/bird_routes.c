/* SPDX-License-Identifier: Apache-2.0 */
/* See bird_routes.h. */
#include "routing/bird_routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "10.244.1.0/24" */
static bool read_destination(struct bird_routes *r, const char *line)
{
    char text[IP_ADDR_TEXT_MAX];
    size_t bytes = strcspn(line, "/ ");
    if (line[bytes] != '/' || bytes >= sizeof(text)) {
        return false;
    }
    memcpy(text, line, bytes);
    text[bytes] = '\0';
    unsigned long length = strtoul(line + bytes + 1, NULL, 10);
    if (!ip_addr_parse(text, &r->route.destination) ||
        length > (ip_addr_is_v4(&r->route.destination) ? 32 : 128)) {
        return false;
    }
    r->route.length = (uint8_t)length;
    return true;
}

/* "unicast [peer-a 18:51:30.271] * (100) [AS65010i]"; of other types nothing is behind it that
 * leads anywhere. */
static void read_route(struct bird_routes *r, const char *text)
{
    char type[16];
    r->has_way = r->has_destination &&
                 sscanf(text, " %15s [%63[^] ]", type, r->route.protocol) == 2 &&
                 strcmp(type, "unicast") == 0;
    const char *behind = strchr(text, ']');
    r->route.is_best = behind != NULL && strncmp(behind, "] * ", 4) == 0;
}

bool bird_routes_line(struct bird_routes *r, const char *line, struct bird_route *ret)
{
    char gateway[IP_ADDR_TEXT_MAX];
    if (line[0] == '\t') {
        struct bird_route route = r->route;
        bool is_way = r->has_way && sscanf(line, "\tvia %45s on %23s", gateway, route.link) == 2 &&
                      ip_addr_parse(gateway, &route.gateway);
        if (is_way) {
            *ret = route;
        }
        return is_way;
    }
    if (line[0] != ' ') {
        r->has_destination = read_destination(r, line);
        line += strcspn(line, " ");
    }
    read_route(r, line);
    return false;
}
