/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list. The head is a node; an empty list points at itself. A node that is
 * on no list has next == NULL, so that list_is_linked() is a question one may always ask of a
 * zeroed or removed node. Owner: whoever owns the head. Thread: one. Cost: O(1) each.
 */
#pragma once

#include "base/assert.h"
#include "base/container.h"

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

/* Makes `head` an empty list. */
static inline void list_init(struct list_node *head)
{
    head->next = head;
    head->prev = head;
}

/* True if nothing is on the list. */
static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

/* True if `node` is on some list. A zeroed node is on none. */
static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != NULL;
}

/* Puts `node` right after `at`. `node` must be on no list. */
static inline void list_insert_after(struct list_node *at, struct list_node *node)
{
    ASSERT_HOT(!list_is_linked(node));
    node->next = at->next;
    node->prev = at;
    at->next->prev = node;
    at->next = node;
}

/* Appends. `node` must be on no list. */
static inline void list_push_back(struct list_node *head, struct list_node *node)
{
    list_insert_after(head->prev, node);
}

/* Prepends. `node` must be on no list. */
static inline void list_push_front(struct list_node *head, struct list_node *node)
{
    list_insert_after(head, node);
}

/* Takes `node` off its list and zeroes its links. */
static inline void list_remove(struct list_node *node)
{
    ASSERT_HOT(list_is_linked(node));
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = NULL;
    node->prev = NULL;
}

/* The first node, left on the list; NULL if empty. */
static inline struct list_node *list_peek_front(const struct list_node *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

/* The first node, taken off; NULL if empty. */
static inline struct list_node *list_take_front(struct list_node *head)
{
    struct list_node *node = list_peek_front(head);
    if (node != NULL)
        list_remove(node);
    return node;
}

/* Walks the list; `it` may not be removed in the body. Not called FOREACH: <sys/queue.h>, which
 * DPDK's headers include, has a macro of that name. */
#define LIST_EACH(it, head) for (struct list_node *it = (head)->next; it != (head); it = it->next)

/* Allows `it` to be removed (and freed) in the body. */
#define LIST_EACH_SAFE(it, tmp, head)                                                              \
    for (struct list_node *it = (head)->next, *tmp = it->next; it != (head);                       \
         it = tmp, tmp = it->next)
