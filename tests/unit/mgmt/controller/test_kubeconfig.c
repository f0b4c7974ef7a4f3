/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig files: what is taken, and what is refused in which words. */
#include "controller/kubeconfig.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/kubeconfig-test-XXXXXX";
static bool is_made;

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "we");
    REQUIRE(f != NULL);
    fputs(text, f);
    fclose(f);
}

static void make_folder(void)
{
    if (!is_made)
        REQUIRE(mkdtemp(folder) != NULL);
    is_made = true;
    write_file("ca.crt", "the CA");
    write_file("me.crt", "my certificate");
    write_file("me.key", "my key");
    write_file("config", "no: yaml: here");
}

/* The file with this cluster and this user, as flow mappings. */
static int load(const char *cluster, const char *user, const char *context, bool may_be_insecure,
                struct kube_access *ret, char text[KUBE_TEXT_MAX])
{
    char path[128];
    char config[2048];
    make_folder();
    snprintf(config, sizeof(config),
             "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
             "contexts:\n- name: a\n  context: {cluster: one, user: me, namespace: shop}\n"
             "- name: b\n  context: {cluster: two}\n- name: c\n  context: {cluster: none}\n"
             "- name: d\n  context: {cluster: one, user: nobody}\n"
             "clusters:\n- name: one\n  cluster: %s\n"
             "- name: two\n  cluster: {server: 'https://two:6443'}\n"
             "users:\n- name: me\n  user: %s\n",
             cluster, user);
    write_file("config", config);
    snprintf(path, sizeof(path), "%s/config", folder);
    text[0] = '\0';
    memset(ret, 0, sizeof(*ret));
    return kubeconfig_load(path, context, may_be_insecure, ret, text);
}

#define GOOD_CLUSTER "{server: 'https://one:6443', certificate-authority: ca.crt}"

TEST(files_are_taken_from_the_folder_of_the_kubeconfig)
{
    struct kube_access a;
    char text[KUBE_TEXT_MAX];
    CHECK_EQ(load(GOOD_CLUSTER, "{client-certificate: me.crt, client-key: me.key}", NULL, false, &a,
                  text),
             0);
    CHECK_STR(a.server, "https://one:6443");
    CHECK_STR(a.ca_pem, "the CA");
    CHECK_STR(a.certificate_pem, "my certificate");
    CHECK_STR(a.key_pem, "my key");
    CHECK_STR(a.namespace_, "shop");
    CHECK(a.token == NULL && a.token_file == NULL && !a.is_insecure);
    kube_access_free(&a);
}

TEST(data_wins_over_files_and_tokens_are_taken)
{
    struct kube_access a;
    char text[KUBE_TEXT_MAX];
    CHECK_EQ(load("{server: 'https://one', certificate-authority: missing,"
                  " certificate-authority-data: dGhlIG90aGVyIENB, tls-server-name: api.internal}",
                  "{token: abc, tokenFile: token}", NULL, false, &a, text),
             0);
    CHECK_STR(a.ca_pem, "the other CA");
    CHECK_STR(a.server_name, "api.internal");
    CHECK_STR(a.token, "abc");
    CHECK(a.token_file != NULL && strstr(a.token_file, "/token") != NULL && a.token_file[0] == '/');
    kube_access_free(&a);
}

TEST(another_context_may_be_named)
{
    struct kube_access a;
    char text[KUBE_TEXT_MAX];
    CHECK_EQ(load(GOOD_CLUSTER, "{token: abc}", "b", false, &a, text), 0);
    CHECK_STR(a.server, "https://two:6443");
    CHECK(a.token == NULL && a.ca_pem == NULL);
    kube_access_free(&a);
}

TEST(what_is_not_done_is_refused_with_its_field)
{
    static const struct {
        const char *cluster, *user, *context, *word;
    } bad[] = {
        {GOOD_CLUSTER, "{exec: {command: aws}}", NULL, "exec"},
        {GOOD_CLUSTER, "{auth-provider: {name: gcp}}", NULL, "auth-provider"},
        {GOOD_CLUSTER, "{username: me, password: x}", NULL, "username"},
        {GOOD_CLUSTER, "{token: x, as: root}", NULL, "as:"},
        {GOOD_CLUSTER, "{client-certificate: me.crt}", NULL, "client-key"},
        {GOOD_CLUSTER, "{client-certificate: none.crt, client-key: me.key}", NULL, "none.crt"},
        {GOOD_CLUSTER, "{client-key-data: '%%'}", NULL, "client-key-data"},
        {"{server: 'https://one', proxy-url: 'http://p'}", "{}", NULL, "proxy-url"},
        {"{server: 'http://one'}", "{}", NULL, "https"},
        {"{}", "{}", NULL, "server"},
        {"{server: 'https://one', insecure-skip-tls-verify: true}", "{}", NULL,
         "insecure-skip-tls-verify"},
        {"{server: 'https://one', certificate-authority: none}", "{}", NULL,
         "certificate-authority"},
        {GOOD_CLUSTER, "{}", "nowhere", "nowhere"},
        {GOOD_CLUSTER, "{}", "c", "no cluster named none"},
        {GOOD_CLUSTER, "{}", "d", "no user named nobody"},
        {"{server: [", "{}", NULL, "line"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct kube_access a;
        char text[KUBE_TEXT_MAX];
        CHECK(load(bad[i].cluster, bad[i].user, bad[i].context, false, &a, text) < 0);
        CHECK(strstr(text, bad[i].word) != NULL);
        CHECK(strstr(text, "/config: ") != NULL);
    }
}

TEST(insecure_is_taken_only_from_who_insists)
{
    struct kube_access a;
    char text[KUBE_TEXT_MAX];
    CHECK_EQ(
        load("{server: 'https://one', insecure-skip-tls-verify: true}", "{}", NULL, true, &a, text),
        0);
    CHECK(a.is_insecure);
    kube_access_free(&a);
}

TEST(files_that_are_no_kubeconfig_are_refused)
{
    static const char *const bad[] = {"", "[]", "text", "a: 1\n---\nb: 2\n",
                                      "current-context: x\n"};
    char path[128];
    make_folder();
    snprintf(path, sizeof(path), "%s/config", folder);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct kube_access a;
        char text[KUBE_TEXT_MAX];
        write_file("config", bad[i]);
        CHECK_EQ(kubeconfig_load(path, NULL, false, &a, text), -EINVAL);
        CHECK(text[0] != '\0');
    }
    struct kube_access a;
    char text[KUBE_TEXT_MAX];
    CHECK_EQ(kubeconfig_load("/nonexistent/config", NULL, false, &a, text), -ENOENT);
}

TEST(a_pod_finds_its_service_account)
{
    struct kube_access a;
    char text[KUBE_TEXT_MAX];
    make_folder();
    write_file("token", "abc\n");
    write_file("namespace", "infra\n");
    unsetenv("KUBERNETES_SERVICE_HOST");
    CHECK_EQ(kubeconfig_in_cluster(folder, &a, text), -EINVAL);
    CHECK(strstr(text, "KUBERNETES_SERVICE_HOST") != NULL);
    setenv("KUBERNETES_SERVICE_HOST", "2001:db8::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    CHECK_EQ(kubeconfig_in_cluster(folder, &a, text), 0);
    CHECK_STR(a.server, "https://[2001:db8::1]:443");
    CHECK_STR(a.ca_pem, "the CA");
    CHECK_STR(a.namespace_, "infra");
    CHECK(a.token_file != NULL);
    kube_access_free(&a);
    CHECK_EQ(kubeconfig_in_cluster("/nonexistent", &a, text), -ENOENT);
}

UNIT_MAIN("controller/kubeconfig", T(files_are_taken_from_the_folder_of_the_kubeconfig),
          T(data_wins_over_files_and_tokens_are_taken), T(another_context_may_be_named),
          T(what_is_not_done_is_refused_with_its_field), T(insecure_is_taken_only_from_who_insists),
          T(files_that_are_no_kubeconfig_are_refused), T(a_pod_finds_its_service_account))
