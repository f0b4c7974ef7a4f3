/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, what DPDK is told, and when a worker sleeps. */
#include "access/access_line.h"
#include "eal.h"
#include "loop.h"
#include "options.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct options o;
static struct net_fault fault;

/* Parses "a b c" after the program's name. */
static bool parse(const char *line)
{
    static char copy[512]; /* the options point into it */
    char *argv[40] = {(char[]){"sluice-dataplane"}};
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    char *rest = copy;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " "))
        argv[argc++] = word;
    fault.text[0] = '\0';
    return options_parse(argc, argv, &o, &fault);
}

#define DIRS "--run-dir /r --state-dir /s "
#define PORT "--port name=p0,driver=af_xdp,iface=veth0 "

TEST(the_smallest_command_line_takes_the_defaults)
{
    REQUIRE(parse(DIRS PORT "--cores 0"));
    CHECK_STR(o.run_dir, "/r");
    CHECK_STR(o.state_dir, "/s");
    CHECK_EQ(o.workers, 1);
    CHECK_EQ(o.idle, IDLE_ADAPTIVE);
    CHECK_EQ(o.probe, NET_PROBE_ALL);
    CHECK(o.access_log == NULL);
    CHECK_EQ(o.access_one_in, 1);
    CHECK(o.access_has_errors);
    CHECK_EQ(o.access_fields, access_fields_default());
    CHECK_EQ(o.mem_mb, 512);
    CHECK_EQ(o.n_ports, 1);
    CHECK_STR(o.ports[0].name, "p0");
    CHECK_STR(o.ports[0].iface, "veth0");
    REQUIRE(parse(DIRS PORT "--cores 0"));
    CHECK_EQ(o.n_cpus, 1);
}

TEST(every_option_arrives)
{
    REQUIRE(parse(DIRS PORT "--port name=p1,driver=pci,pci=05:00.1,queues=4,mtu=2000 --workers 3 "
                            "--idle poll --probe own --mem 1024 --conns 100 --tunnel-idle 60 "
                            "--cores 4-6,9 --access-log /l "
                            "--access-sample 10 --access-errors sample --access-fields end,time"));
    CHECK_STR(o.access_log, "/l");
    CHECK_EQ(o.access_one_in, 10);
    CHECK(!o.access_has_errors);
    CHECK_EQ(o.access_fields, 1ull << ACCESS_FIELD_time | 1ull << ACCESS_FIELD_end);
    CHECK_EQ(o.workers, 3);
    CHECK_EQ(o.idle, IDLE_POLL);
    CHECK_EQ(o.probe, NET_PROBE_OWN);
    CHECK_EQ(o.mem_mb, 1024);
    CHECK_EQ(o.conns, 100);
    CHECK_EQ(o.tunnel_idle_s, 60);
    CHECK_EQ(o.n_cpus, 4);
    CHECK_EQ(o.cpus[2], 6);
    CHECK_EQ(o.cpus[3], 9);
    CHECK_STR(o.ports[1].pci, "05:00.1");
    CHECK_EQ(o.ports[1].queues, 4);
    CHECK_EQ(o.ports[1].mtu, 2000);
}

TEST(help_and_version_need_nothing_else)
{
    REQUIRE(parse("--help"));
    CHECK(o.wants_help);
    REQUIRE(parse("--version"));
    CHECK(o.wants_version);
}

TEST(bad_command_lines_are_refused_with_a_sentence)
{
    static const char *const lines[] = {
        PORT,
        "--run-dir /r " PORT,
        "--state-dir /s " PORT,
        DIRS,
        DIRS PORT "--access-log ",
        DIRS PORT "--access-sample 0 --access-errors sample",
        DIRS PORT "--access-sample 1000001",
        DIRS PORT "--access-errors some",
        DIRS PORT "--access-fields time,nothing",
        DIRS PORT "--workers 0",
        DIRS PORT "--workers 65",
        DIRS PORT "--workers two",
        DIRS PORT "--workers -1",
        DIRS PORT "--workers",
        DIRS PORT "--idle sometimes",
        DIRS PORT "--probe maybe",
        DIRS PORT "--mem 63",
        DIRS PORT "--conns 99999999999999999999",
        DIRS PORT "--tunnel-idle 0",
        DIRS PORT "--tunnel-idle 86401",
        DIRS PORT "--crypto-cores 17",
        DIRS PORT "--crypto-cores x",
        DIRS "--port name=p0,driver=af_xdp,iface=veth0,tap=p0",
        DIRS "--port name=p0,driver=af_xdp,iface=veth0,tap=p0 --exception-netns ",
        DIRS "--port name=p0,driver=af_xdp,iface=veth0,tap=elevenchars --exception-netns control",
        DIRS PORT "--cores 3-1",
        DIRS PORT "--cores 1,,2",
        DIRS PORT "--cores 1,",
        DIRS PORT "--cores 5000",
        DIRS PORT "--cores x",
        DIRS PORT "--nonsense",
        DIRS PORT "extra",
        DIRS PORT PORT,
        DIRS "--port driver=af_xdp,iface=veth0",
        DIRS "--port name=p0,iface=veth0",
        DIRS "--port name=p0,driver=carrier-pigeon",
        DIRS "--port name=p0,driver=af_xdp,iface=",
        DIRS "--port name=p0,driver=af_xdp,iface=a,iface=b",
        DIRS "--port name=p0,driver=af_xdp,iface=a,colour=red",
        DIRS "--port name=p0,driver=af_xdp,iface=a;b",
        DIRS "--port name=p0,driver=af_xdp,iface=averyverylonginterface",
        DIRS "--port name=p0,driver=af_xdp,queues=0",
        DIRS "--port name=p0,driver=af_xdp,mtu=99999",
        DIRS "--port name",
        DIRS "--port ,",
    };
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        bool is_taken = parse(lines[i]);
        if (is_taken || fault.text[0] == '\0')
            printf("  taken: %s\n", lines[i]);
        CHECK(!is_taken);
        CHECK(fault.text[0] != '\0');
    }
}

/* Is `value` right after `name`, or `name` there at all with value NULL? */
static bool has_arg(const struct eal_args *a, const char *name, const char *value)
{
    for (int i = 0; i < a->argc; i++) {
        if (strcmp(a->argv[i], name) == 0)
            return value == NULL || (i + 1 < a->argc && strcmp(a->argv[i + 1], value) == 0);
    }
    return false;
}

TEST(workers_share_cpus_when_there_are_too_few)
{
    struct net_device devices[PORTS_MAX] = {{.eal_option = "--vdev", .eal_value = "x"}};
    struct eal_args a;
    REQUIRE(parse(DIRS PORT "--workers 2 --cores 0-1"));
    eal_args_make(&o, devices, false, &a);
    CHECK(has_arg(&a, "--lcores", "0@0,1@0,2@1"));
    REQUIRE(parse(DIRS PORT "--workers 1 --cores 0-2 --crypto-cores 1"));
    eal_args_make(&o, devices, false, &a);
    CHECK(has_arg(&a, "--lcores", "0@0,1@1,2@2"));
    REQUIRE(parse(DIRS PORT "--workers 1 --cores 0-1 --crypto-cores 2"));
    eal_args_make(&o, devices, false, &a);
    CHECK(has_arg(&a, "--lcores", "0@0,1@1,2@0,3@1"));
    REQUIRE(parse(DIRS PORT "--workers 2 --cores 5,7,9"));
    eal_args_make(&o, devices, false, &a);
    CHECK(has_arg(&a, "--lcores", "0@5,1@7,2@9"));
    REQUIRE(parse(DIRS PORT "--workers 64 --cores 100"));
    eal_args_make(&o, devices, false, &a);
    CHECK(a.argv[a.argc] == NULL);
}

TEST(only_the_devices_that_were_named_are_probed)
{
    struct net_device devices[PORTS_MAX] = {{.eal_option = "--vdev", .eal_value = "net_x,iface=y"},
                                            {.eal_option = "-a", .eal_value = "0000:00:05.0"}};
    struct eal_args a;
    REQUIRE(parse(DIRS PORT "--cores 0"));
    eal_args_make(&o, devices, false, &a);
    CHECK(has_arg(&a, "--vdev", "net_x,iface=y"));
    CHECK(has_arg(&a, "--no-pci", NULL));
    CHECK(has_arg(&a, "--no-huge", NULL));
    CHECK(!has_arg(&a, "--in-memory", NULL));
    REQUIRE(parse(DIRS PORT "--port name=p1,driver=pci,pci=00:05.0 --cores 0"));
    eal_args_make(&o, devices, true, &a);
    CHECK(has_arg(&a, "-a", "0000:00:05.0"));
    CHECK(!has_arg(&a, "--no-pci", NULL));
    CHECK(!has_arg(&a, "--no-huge", NULL));
    CHECK(has_arg(&a, "--in-memory", NULL));
}

TEST(a_worker_sleeps_longer_the_longer_it_is_idle_and_never_past_its_timer)
{
    uint64_t never = UINT64_MAX;
    CHECK_EQ(loop_sleep_us(0, 0, 1000, never), 0);
    CHECK_EQ(loop_sleep_us(LOOP_SPIN_US - 1, 0, 1000, never), 0);
    uint32_t last = 0;
    for (uint32_t sleeps = 0; sleeps < 100; sleeps++) {
        uint32_t sleep_us = loop_sleep_us(LOOP_SPIN_US, sleeps, 1000, never);
        CHECK(sleep_us >= last && sleep_us >= LOOP_SLEEP_US_MIN && sleep_us <= LOOP_SLEEP_US_MAX);
        last = sleep_us;
    }
    CHECK_EQ(last, LOOP_SLEEP_US_MAX);
    CHECK_EQ(loop_sleep_us(UINT64_MAX, UINT32_MAX, 1000, never), LOOP_SLEEP_US_MAX);
    CHECK_EQ(loop_sleep_us(UINT64_MAX, UINT32_MAX, 1000, 1300), 300);
    CHECK_EQ(loop_sleep_us(UINT64_MAX, UINT32_MAX, 1000, 1010), 0);
    CHECK_EQ(loop_sleep_us(UINT64_MAX, UINT32_MAX, 1000, 900), 0);
}

UNIT_MAIN("options", T(the_smallest_command_line_takes_the_defaults), T(every_option_arrives),
          T(help_and_version_need_nothing_else), T(bad_command_lines_are_refused_with_a_sentence),
          T(workers_share_cpus_when_there_are_too_few),
          T(only_the_devices_that_were_named_are_probed),
          T(a_worker_sleeps_longer_the_longer_it_is_idle_and_never_past_its_timer))
