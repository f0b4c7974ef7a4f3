/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that names several appliances (--appliances), YAML:
 *
 *   appliances:
 *   - name: rack-1                      in logs and metrics
 *     server: https://192.0.2.1:8443
 *     serverName: box.example.com       in its certificate; default: the host of server
 *     caFile: /etc/sluice/rack-1.crt
 *     tokenFile: /etc/sluice/rack-1.token
 *     certificateFile: /etc/sluice/controller.crt     instead of tokenFile,
 *     keyFile: /etc/sluice/controller.key             with its key
 *
 * Files are named from the file's own folder on. A field that is none of these is refused.
 */
#pragma once

#include "controller/options.h"

/* Adds the file's appliances. 0, or -EINVAL, and stderr says what is wrong. */
int options_file_read(const char *file, struct options *o);
