/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of regular expressions: sets, patterns and databases lie end to end, and every pattern is
 * somebody's. Whether a database is one, and one of this machine's Hyperscan, is found when it is
 * loaded (route/pattern.h); what it tells of a text is believed no further than its set goes.
 */
#include "abi/image_check.h"

enum image_fault image_local_pattern_set(const struct image_view *v, uint32_t i)
{
    const struct image_pattern_set *e = &v->pattern_sets[i];
    if (e->n_patterns == 0 || e->n_patterns > IMAGE_PATTERNS_PER_SET_MAX)
        return IMAGE_FAULT_VALUE;
    bool is_in = image_is_range(e->first_pattern, e->n_patterns, v->n_patterns) &&
                 e->database < v->n_databases && (e->node == IMAGE_NONE || e->node < v->n_nodes);
    return is_in ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_cross_pattern_set(const struct image_view *v, uint32_t i)
{
    const struct image_pattern_set *e = &v->pattern_sets[i];
    uint32_t first = i == 0 ? 0 : e[-1].first_pattern + e[-1].n_patterns;
    if (e->first_pattern != first)
        return IMAGE_FAULT_OWNER;
    if ((e->node == IMAGE_NONE) != (v->patterns[first].value.index == IMAGE_NONE))
        return IMAGE_FAULT_OWNER;
    if (e->node == IMAGE_NONE || v->node_rests[e->node].first_set == i)
        return IMAGE_FAULT_OK;
    return i > 0 && e[-1].node == e->node ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_whole_pattern_sets(const struct image_view *v)
{
    uint32_t end = 0;
    if (v->n_pattern_sets != 0) {
        const struct image_pattern_set *last = &v->pattern_sets[v->n_pattern_sets - 1];
        end = last->first_pattern + last->n_patterns;
    }
    return end == v->n_patterns ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_local_pattern(const struct image_view *v, uint32_t i)
{
    const struct image_pattern *e = &v->patterns[i];
    bool is_of_path = e->value.index != IMAGE_NONE;
    if (!image_is_value_possible(&e->value, v->n_paths))
        return IMAGE_FAULT_INDEX;
    if (e->text.length == 0 || e->text.length > IMAGE_PATTERN_BYTES_MAX)
        return IMAGE_FAULT_STRING;
    if (e->way >= e->text.length || (!is_of_path && e->way != 0))
        return IMAGE_FAULT_VALUE;
    return image_check_text(v, e->text, IMAGE_TEXT_PATTERN);
}

enum image_fault image_local_database(const struct image_view *v, uint32_t i)
{
    const struct image_database *e = &v->databases[i];
    return e->length != 0 && image_is_range(e->offset, e->length, v->n_database_bytes)
               ? IMAGE_FAULT_OK
               : IMAGE_FAULT_INDEX;
}

enum image_fault image_cross_database(const struct image_view *v, uint32_t i)
{
    const struct image_database *e = &v->databases[i];
    uint32_t offset = i == 0 ? 0 : e[-1].offset + e[-1].length;
    return e->offset == offset ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_whole_databases(const struct image_view *v)
{
    uint32_t end = 0;
    if (v->n_databases != 0) {
        const struct image_database *last = &v->databases[v->n_databases - 1];
        end = last->offset + last->length;
    }
    return end == v->n_database_bytes ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_cross_predicate(const struct image_view *v, uint32_t i)
{
    const struct image_predicate *e = &v->predicates[i];
    if (e->set == IMAGE_NONE)
        return IMAGE_FAULT_OK;
    const struct image_pattern_set *set = &v->pattern_sets[e->set];
    const struct image_pattern *pattern = &v->patterns[set->first_pattern];
    if (set->n_patterns != 1 || pattern->value.index != IMAGE_NONE)
        return IMAGE_FAULT_OWNER;
    return slice_eq(image_text(v, pattern->text), image_text(v, e->value)) ? IMAGE_FAULT_OK
                                                                           : IMAGE_FAULT_VALUE;
}

bool image_is_lone_told(const struct image_view *v, uint32_t node)
{
    uint32_t first = v->node_rests[node].first_set;
    const struct image_pattern_set *set = &v->pattern_sets[first];
    const struct image_value *value = &v->patterns[set->first_pattern].value;
    struct image_lone lone = image_node_lone(&v->nodes[node]);
    bool has_other = first + 1 < v->n_pattern_sets && set[1].node == set->node;
    return set->n_patterns == 1 && !has_other && lone.database == set->database &&
           memcmp(&lone.value, value, sizeof(*value)) == 0;
}

uint32_t image_first_host_set(const struct image_view *v)
{
    uint32_t i = 0;
    while (i < v->n_pattern_sets &&
           v->patterns[v->pattern_sets[i].first_pattern].value.index == IMAGE_NONE)
        i++;
    return i;
}

/* Is the pattern's way the one to the node? */
static bool is_at_home(const struct image_view *v, const struct image_pattern *e, uint32_t node)
{
    struct slice way = {image_text(v, e->text).ptr, e->way};
    if (v->nodes[node].parent == IMAGE_NONE)
        return way.len == 0;
    if (way.len == 0 || way.ptr[way.len - 1] != '/')
        return false;
    way.len--;
    return image_is_path_of(v, node, way);
}

static enum image_fault check_host_pattern(const struct image_view *v, uint32_t i, uint32_t node)
{
    const struct image_pattern *e = &v->patterns[i];
    struct slice text = image_text(v, e->text);
    if (e->value.index == IMAGE_NONE || v->paths[e->value.index].kind != IMAGE_PATH_REGEX)
        return IMAGE_FAULT_VALUE_KIND;
    if (!slice_eq(image_text(v, v->paths[e->value.index].text), text) ||
        !image_is_path_told(v, &e->value) || !is_at_home(v, e, node))
        return IMAGE_FAULT_VALUE;
    bool is_first = i == v->pattern_sets[v->node_rests[node].first_set].first_pattern;
    return is_first || image_pattern_order(image_text(v, e[-1].text), text) < 0 ? IMAGE_FAULT_OK
                                                                                : IMAGE_FAULT_ORDER;
}

/* Is the node one of the host's trie, and not too deep? */
static bool is_node_of_host(const struct image_view *v, uint32_t node, const struct image_host *h)
{
    if (node == IMAGE_NONE || v->node_rests[node].depth > IMAGE_PATTERN_DEPTH_MAX)
        return false;
    while (v->nodes[node].parent != IMAGE_NONE)
        node = v->nodes[node].parent;
    return node == h->root;
}

enum image_fault image_check_host_sets(const struct image_view *v, const struct image_host *host)
{
    for (uint32_t s = host->first_set; s < host->first_set + host->n_sets; s++) {
        const struct image_pattern_set *set = &v->pattern_sets[s];
        if (!is_node_of_host(v, set->node, host) || v->node_rests[set->node].first_set > s)
            return IMAGE_FAULT_OWNER;
        for (uint32_t i = 0; i < set->n_patterns; i++) {
            enum image_fault fault = check_host_pattern(v, set->first_pattern + i, set->node);
            if (fault != IMAGE_FAULT_OK)
                return fault;
        }
    }
    return IMAGE_FAULT_OK;
}
