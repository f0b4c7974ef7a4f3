/* SPDX-License-Identifier: Apache-2.0 */
/* explain: asks the box which route, rule and backend a request would get. Owner: sluicectl;
 * thread: one. */
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "yaml/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLAIN_PATH "/apis/sluice.internal/v1/explain"

/* "Name: value" of each -H; NULL: one has no colon (said on stderr). */
static json_t *headers_json(const struct ctl_options *o)
{
    json_t *headers = json_array();
    for (unsigned i = 0; i < o->n_headers; i++) {
        const char *text = o->headers[i];
        size_t name_len = strcspn(text, ":");
        if (text[name_len] == '\0' || name_len == 0) {
            fprintf(stderr, "sluicectl: -H '%s': wants 'Name: value'\n", text);
            json_decref(headers);
            return NULL;
        }
        const char *value = text + name_len + 1;
        value += strspn(value, " \t");
        json_array_append_new(headers,
                              json_pack("{s:s%,s:s}", "name", text, name_len, "value", value));
    }
    return headers;
}

static void print_explanation(const struct ctl_options *o, json_t *answer)
{
    json_t *status = json_object_get(answer, "status");
    if (o->output == CTL_JSON) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
        return;
    }
    char *text = yaml_dump(status != NULL ? status : answer);
    if (text != NULL)
        fputs(text, stdout);
    free(text);
}

enum ctl_exit ctl_explain(struct client *c, const struct ctl_options *o)
{
    json_t *answer = NULL;
    bool is_url_alone = o->n_words == 1 && strstr(o->words[0], "://") != NULL;
    if (o->n_words != 2 && !is_url_alone) {
        fprintf(stderr, "sluicectl: explain wants [METHOD] URL\n");
        return CTL_USAGE;
    }
    json_t *headers = headers_json(o);
    if (headers == NULL)
        return CTL_USAGE;
    json_t *body = json_pack("{s:s,s:s,s:{s:s*,s:s,s:o,s:s*,s:s*}}", "apiVersion",
                             "sluice.internal/v1", "kind", "Explain", "spec", "method",
                             o->n_words == 2 ? o->words[0] : NULL, "url", o->words[o->n_words - 1],
                             "headers", headers, "address", o->address, "client", o->client);
    int status = client_call(c, "POST", EXPLAIN_PATH, "application/json", body, &answer);
    if (status == 200 || status == 201)
        print_explanation(o, answer);
    else
        ctl_print_refusal(c, "explain", status, answer);
    json_decref(body);
    json_decref(answer);
    return status == 200 || status == 201 ? CTL_DONE : CTL_FAILED;
}
