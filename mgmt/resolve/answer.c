/* SPDX-License-Identifier: Apache-2.0 */
/* Words of answer.h. */
#include "resolve/answer.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"

const char *resolve_fault_text(enum resolve_fault fault)
{
    static const char *const texts[] = {RESOLVE_FAULT_LIST(X_TEXT)};
    ASSERT((size_t)fault < array_len(texts));
    return texts[fault];
}
