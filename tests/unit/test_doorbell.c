/* test_doorbell.c - the doorbell: names that are rung, and one that was removed, cut or moved.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "outbox_project.h"

#include "store/doorbell.h"

static struct doorbell_button button;

static void make_project_and_button(void) {
  make_project();
  doorbell_button_init(&button);
}

static void remove_project_and_button(void) {
  doorbell_button_close(&button);
  remove_project();
}

TestSuite(doorbell, .init = make_project_and_button, .fini = remove_project_and_button);

#define TRUST_LOOK_NS 1000000 /* as long as a look at a bell is trusted */

static char heard[256];

static void hear(void *ctx, const char *agent) {
  size_t used = strlen(heard);

  (void)ctx;
  (void)snprintf(heard + used, sizeof heard - used, "%s ", agent);
}

static bool listen_to(struct doorbell *doorbell) {
  heard[0] = '\0';
  return doorbell_listen(doorbell, metrics_fd, hear, NULL);
}

Test(doorbell, names_are_heard_once_and_in_order) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  cr_assert_not(listen_to(&doorbell), "nobody ever rang");
  doorbell_ring(&button, &project, "early");
  cr_assert(listen_to(&doorbell), "whatever rang before must be looked for");
  doorbell_ring(&button, &project, "coach");
  doorbell_ring(&button, &project, "scribe");
  cr_assert_not(listen_to(&doorbell));
  cr_assert(strstr(heard, "coach scribe ") != NULL, "%s", heard);
  cr_assert_not(listen_to(&doorbell));
  cr_assert_str_eq(heard, "");
  doorbell_close(&doorbell);
}

Test(doorbell, what_is_no_name_is_not_heard) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "coach");
  (void)listen_to(&doorbell);
  (void)listen_to(&doorbell);
  write_file(metrics_fd, ".doorbell", O_APPEND, "../../etc\n\n.hidden\noptimizer\nscribe\nhalf");
  (void)listen_to(&doorbell);
  cr_assert_str_eq(heard, "scribe ");
  write_file(metrics_fd, ".doorbell", O_APPEND, "way\n");
  (void)listen_to(&doorbell);
  cr_assert_str_eq(heard, "halfway ");
  doorbell_close(&doorbell);
}

Test(doorbell, a_long_one_is_cut_and_every_agent_looked_at) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  for (int i = 0; i < 20000; i++)
    doorbell_ring(&button, &project, "coach");
  cr_assert(listen_to(&doorbell));
  cr_assert_leq(lseek(doorbell.fd, 0, SEEK_END), (64 << 10) + 64, "nobody rings a full bell");
  cr_assert(listen_to(&doorbell));
  cr_assert_eq(lseek(doorbell.fd, 0, SEEK_END), 0);
  doorbell_ring(&button, &project, "scribe");
  (void)listen_to(&doorbell);
  cr_assert(strstr(heard, "scribe") != NULL, "one that was cut is rung at once");
  doorbell_close(&doorbell);
}

Test(doorbell, a_removed_one_is_replaced) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "coach");
  (void)listen_to(&doorbell);
  cr_assert_eq(unlinkat(metrics_fd, ".doorbell", 0), 0);
  button.looked_ns -= TRUST_LOOK_NS;
  doorbell_ring(&button, &project, "scribe");
  cr_assert(listen_to(&doorbell));
  (void)listen_to(&doorbell);
  doorbell_ring(&button, &project, "judge");
  (void)listen_to(&doorbell);
  cr_assert(strstr(heard, "judge") != NULL);
  doorbell_close(&doorbell);
}

Test(doorbell, what_was_rung_into_a_removed_one_is_looked_for) {
  struct doorbell doorbell;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "coach");
  (void)listen_to(&doorbell);
  cr_assert_eq(unlinkat(metrics_fd, ".doorbell", 0), 0);
  cr_assert(listen_to(&doorbell), "it was removed");
  cr_assert(doorbell.removed_ns > 0);
  doorbell.removed_ns -= TRUST_LOOK_NS;
  cr_assert(listen_to(&doorbell), "another may have rung it since then");
  cr_assert_not(listen_to(&doorbell));
  doorbell_close(&doorbell);
}

Test(doorbell, one_that_was_moved_away_is_left_within_a_second) {
  struct doorbell doorbell;
  struct error error;
  int moved_fd;

  doorbell_init(&doorbell);
  doorbell_ring(&button, &project, "early");
  cr_assert_eq(renameat(project.root_fd, ".kaizen/metrics", project.root_fd, ".kaizen/old"), 0);
  moved_fd = metrics_fd;
  cr_assert_eq(project_metrics_folder(&project, true, &metrics_fd, &error), 0);
  button.opened_ns -= 1000000000;
  doorbell_ring(&button, &project, "coach");
  cr_assert(listen_to(&doorbell), "it rang where the name leads now");
  doorbell_close(&doorbell);
  (void)unlinkat(metrics_fd, ".doorbell", 0);
  (void)unlinkat(metrics_fd, ".gitignore", 0);
  (void)close(metrics_fd);
  metrics_fd = moved_fd;
  cr_assert_eq(unlinkat(project.root_fd, ".kaizen/metrics", AT_REMOVEDIR), 0);
  cr_assert_eq(renameat(project.root_fd, ".kaizen/old", project.root_fd, ".kaizen/metrics"), 0);
}
