/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to reach a cluster: a kubeconfig file, or what a pod finds in its own file system.
 *
 * Of a kubeconfig: current-context or a named one; server, tls-server-name,
 * certificate-authority(-data), client-certificate(-data), client-key(-data), token, tokenFile.
 * Refused, with the field: exec, auth-provider, username/password, impersonation, proxy-url (we run
 * no programs and send no passwords). insecure-skip-tls-verify is refused unless `may_be_insecure`.
 * Relative file names are relative to the kubeconfig's folder, as kubectl has it.
 *
 * Thread: any; reads files. Errors: -EINVAL (what it says is wrong), -errno of a file; *text says
 * what, with the file and the field.
 */
#pragma once

#include "controller/kube.h"

/* Of a kubeconfig, and of each file that it names. */
#define KUBECONFIG_BYTES_MAX (1u << 20)
/* Where a pod finds its service account. */
#define KUBECONFIG_POD_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* Reads `file`; `context` NULL: its current-context. *ret is the caller's (kube_access_free). */
int kubeconfig_load(const char *file, const char *context, bool may_be_insecure,
                    struct kube_access *ret, char text[KUBE_TEXT_MAX]);

/* The service account of this pod: KUBERNETES_SERVICE_HOST and _PORT, and `dir` (NULL:
 * KUBECONFIG_POD_DIR) with ca.crt, token and namespace. */
int kubeconfig_in_cluster(const char *dir, struct kube_access *ret, char text[KUBE_TEXT_MAX]);

/* A small text file whole, NUL-terminated, malloc'ed. -errno, -EFBIG, -EINVAL (it has a NUL). */
int kubeconfig_read_file(const char *file, char **ret);
