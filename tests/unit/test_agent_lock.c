/* test_agent_lock.c - who gets an agent's lock, and in which order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "agent_lock_scene.h"

#include <grp.h>
#include <pthread.h>

TestSuite(agent_lock, .init = set_up, .fini = tear_down);

Test(agent_lock, a_reader_waits_at_the_turnstile_although_the_lock_is_free) {
  struct agent_lock reader;
  int next = hold(".next", LOCK_EX);

  cr_assert_eq(agent_lock_read(&reader, folder, 0, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  cr_assert(is_free(".lock"));
  (void)close(next);
  cr_assert_eq(agent_lock_read(&reader, folder, 0, &error), 0, "%s", error.text);
  cr_assert(is_free(".next"), "a reader keeps the turnstile");
  agent_lock_release(&reader);
  agent_lock_close(&reader);
}

static void *write_once(void *ctx) {
  (void)ctx;
  return agent_lock_exclusive(&writer, in_ms(60000), &error) == 0 ? &writer : NULL;
}

Test(agent_lock, no_reader_overtakes_a_writer_that_waits_for_one_before_it) {
  struct agent_lock first, late;
  pthread_t thread;
  void *written;

  cr_assert_eq(agent_lock_read(&first, folder, in_ms(60000), &error), 0, "%s", error.text);
  cr_assert_eq(pthread_create(&thread, NULL, write_once, NULL), 0);
  while (is_free(".next")) /* until the writer stands in it */
    sched_yield();
  cr_assert_eq(agent_lock_read(&late, folder, 0, &error), -1, "readers share the lock forever");
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  agent_lock_release(&first);
  agent_lock_close(&first);
  cr_assert_eq(pthread_join(thread, &written), 0);
  cr_assert_eq(written, &writer);
  agent_lock_release(&writer);
}

Test(agent_lock, readers_share_it) {
  struct agent_lock one, other;

  cr_assert_eq(agent_lock_read(&one, folder, 0, &error), 0, "%s", error.text);
  cr_assert_eq(agent_lock_read(&other, folder, 0, &error), 0, "%s", error.text);
  cr_assert_eq(agent_lock_exclusive(&writer, 0, &error), 1);
  agent_lock_release(&one);
  agent_lock_close(&one);
  agent_lock_release(&other);
  agent_lock_close(&other);
  cr_assert_eq(agent_lock_exclusive(&writer, 0, &error), 0);
}

Test(agent_lock, a_folder_without_the_files_has_no_writer_to_wait_for) {
  unsigned before = open_descriptors();
  struct agent_lock reader;

  cr_assert_eq(unlink(agent_file("coach", ".lock")), 0);
  cr_assert_eq(agent_lock_read(&reader, folder, 0, &error), 0, "%s", error.text);
  cr_assert_not(is_there(agent_file("coach", ".lock")), "a reader makes no files");
  agent_lock_release(&reader);
  agent_lock_close(&reader);
  cr_assert_eq(open_descriptors(), before);
}

Test(agent_lock, without_a_turnstile_a_reader_still_waits_for_the_lock) {
  struct agent_lock reader;
  int lock = hold(".lock", LOCK_EX);

  cr_assert_eq(unlink(agent_file("coach", ".next")), 0);
  cr_assert_eq(agent_lock_read(&reader, folder, 0, &error), -1);
  cr_assert_eq(error.code, KAIZEN_E_BUSY);
  (void)close(lock);
  cr_assert_eq(agent_lock_read(&reader, folder, 0, &error), 0, "%s", error.text);
  agent_lock_release(&reader);
  agent_lock_close(&reader);
}

static void *read_once(void *ctx) {
  return agent_lock_read(ctx, folder, in_ms(60000), &error) == 0 ? ctx : NULL;
}

Test(agent_lock, a_reader_whose_lock_was_replaced_while_it_waited_takes_the_new_one) {
  unsigned before = open_descriptors() + 1; /* the turnstile that is held below */
  struct agent_lock reader;
  struct stat status;
  pthread_t thread;
  void *read;
  int next = hold(".next", LOCK_EX);

  cr_assert_eq(pthread_create(&thread, NULL, read_once, &reader), 0);
  while (open_descriptors() < before + 2) /* until it has both files open */
    sched_yield();
  cr_assert_eq(unlink(agent_file("coach", ".lock")), 0);
  put_file(agent_file("coach", ".lock"), "");
  (void)close(next);
  cr_assert_eq(pthread_join(thread, &read), 0);
  cr_assert_eq(read, &reader);
  cr_assert_eq(stat(agent_file("coach", ".lock"), &status), 0);
  cr_assert_eq(reader.inode, status.st_ino);
  agent_lock_release(&reader);
  agent_lock_close(&reader);
}

Test(agent_lock, a_reader_that_may_not_write_locks_all_the_same) {
  const uid_t nobody = 65534;
  struct agent_lock reader;
  const char *files[] = {".lock", ".next", ""};

  for (unsigned i = 0; i < 3; i++) {
    const char *path = agent_file("coach", files[i]);

    cr_assert_eq(chmod(path, files[i][0] ? 0400 : 0500), 0);
    if (geteuid() == 0) /* whom no mode keeps from writing */
      cr_assert_eq(chown(path, nobody, nobody), 0);
  }
  if (geteuid() == 0)
    cr_assert(setgroups(0, NULL) == 0 && setegid(nobody) == 0 && seteuid(nobody) == 0);
  cr_assert_eq(agent_lock_read(&reader, folder, 0, &error), 0, "%s", error.text);
  cr_assert_eq(agent_lock_exclusive(&writer, 0, &error), 1, "nothing was locked");
  agent_lock_release(&reader);
  agent_lock_close(&reader);
  if (getuid() == 0)
    cr_assert_eq(seteuid(0), 0);
  cr_assert_eq(chmod(agent_file("coach", ""), 0700), 0);
}
