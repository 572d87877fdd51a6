/* health.c - what a machine shows, in a tree of files as it has them, and the
 * bounds of it. */
#include "train/health.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "test.h"

#define ROOT "health-test.tmp"

static void
put(const char *path, const char *text)
{
    char *whole = path_join(ROOT, path), *at = whole;
    struct err e;

    while ((at = strchr(at + 1, '/')) != NULL) {
        *at = '\0';
        CHECK(dir_make(whole, &e) == 0);
        *at = '/';
    }
    CHECK(file_write(whole, text, strlen(text), &e) == 0);
    free(whole);
}

TEST(what_the_system_shows_is_read)
{
    double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
    struct health h;
    struct err e;
    struct buf b;

    CHECK(path_remove(ROOT, &e) == 0);
    health_look(&h, ROOT); /* nothing there */
    CHECK(isnan(h.value[HEALTH_TEMPERATURE]) && isnan(h.value[HEALTH_LOAD]));
    CHECK(isnan(h.value[HEALTH_THROTTLED]));
    put("proc/loadavg", "3.50 2.00 1.00 2/300 4000\n");
    put("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable:  512 kB\n");
    put("sys/class/thermal/thermal_zone0/temp", "61000\n");
    put("sys/class/thermal/thermal_zone1/temp", "-274000\n");
    put("sys/class/hwmon/hwmon3/temp1_input", "72500\n");
    put("sys/class/hwmon/hwmon3/temp2_input", "65261850\n");
    put("sys/class/hwmon/hwmon3/temp3_input", "none\n");
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
        "7\n");
    put("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count",
        "5\n");
    health_look(&h, ROOT);
    CHECK(h.value[HEALTH_TEMPERATURE] == 72.5);
    CHECK(fabs(h.value[HEALTH_LOAD] - 3.5 / cores) < 1e-12);
    CHECK(h.value[HEALTH_THROTTLED] == 12);
    buf_init(&b);
    h.value[HEALTH_LOAD] = NAN;
    h.value[HEALTH_MEMORY] = 5;
    health_json(&h, &b);
    CHECK_STR(b.data, "{\"temperature\": 72.5, \"free_bytes\": 5, "
              "\"throttled\": 12}");
    buf_release(&b);
    CHECK(path_remove(ROOT, &e) == 0);
}

TEST(bounds_are_read_and_held)
{
    static const char *const bad[] = {
        "", "=", ":", "load=1", "load=1:", "load=:warn", "load=x:warn",
        "load=1K:warn", "laod=1:warn", "load=1:wran", "load:1=warn",
        "memory=1KK:stop", "load=-1:warn", "load=nan:warn", "load=1e999:warn",
        "throttled=2:pause",
    };
    const struct health first = { { NAN, 1, 900, 10 } };
    struct health now = { { NAN, 3, 800, 12 } };
    struct health_rule r[4];
    char why[100] = "";
    struct err e;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (!CHECK(health_rule_read(r, bad[i], &e) == ERR_USAGE))
            printf("  %s\n", bad[i]);
    CHECK(health_rule_read(&r[0], "temperature=1:stop", &e) == 0);
    CHECK(health_rule_read(&r[1], "load=2.5:warn", &e) == 0);
    CHECK(health_rule_read(&r[2], "throttled=2:stop", &e) == 0);
    CHECK(health_rule_read(&r[3], "memory=1K:pause", &e) == 0);
    CHECK(r[3].bound == 1024);
    CHECK(health_check(r, 3, &now, &first, false, why, sizeof(why))
          == HEALTH_WARN);
    CHECK_STR(why, "load: 3 (bound 2.5)");
    CHECK(health_check(r, 4, &now, &first, false, why, sizeof(why))
          == HEALTH_PAUSE);
    CHECK_STR(why, "memory: 800 bytes (bound 1024)");
    now.value[HEALTH_THROTTLED] = 13;
    CHECK(health_check(r, 4, &now, &first, false, why, sizeof(why))
          == HEALTH_STOP);
    CHECK_STR(why, "throttled: 3 times (bound 2)");
    CHECK(health_check(r, 1, &now, &first, false, why, sizeof(why))
          == HEALTH_FINE);
}

/* A pause for the temperature goes on below its bound, and the bounds of
 * other actions are what they are meanwhile. */
TEST(a_pause_ends_well_below_its_bound)
{
    static const struct {
        double temperature;
        bool paused;
        enum health_action action;
    } rows[] = {
        { 86, false, HEALTH_PAUSE }, { 86, true, HEALTH_PAUSE },
        { 91, false, HEALTH_STOP }, { 91, true, HEALTH_STOP },
        { 84, false, HEALTH_FINE }, { 84, true, HEALTH_PAUSE },
        { 79, true, HEALTH_FINE },
    };
    const struct health first = { { NAN, NAN, NAN, NAN } };
    struct health_rule r[2];
    char why[100];
    struct err e;

    CHECK(health_rule_read(&r[0], "temperature=85:pause", &e) == 0);
    CHECK(health_rule_read(&r[1], "temperature=88:stop", &e) == 0);
    CHECK_STR(health_unseen(&r[1], &first), "temperature");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct health now = first;

        now.value[HEALTH_TEMPERATURE] = rows[i].temperature;
        CHECK(health_unseen(&r[0], &now) == NULL);
        if (!CHECK(health_check(r, 2, &now, &first, rows[i].paused, why,
                                sizeof(why)) == rows[i].action))
            printf("  %g degrees, paused %d\n", rows[i].temperature,
                   rows[i].paused);
    }
}

static const struct test tests[] = {
    RUN(what_the_system_shows_is_read),
    RUN(bounds_are_read_and_held),
    RUN(a_pause_ends_well_below_its_bound),
};

TEST_MAIN("health", tests)
