/* test_event_id.c - ids of events that are made of keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "execution_scene.h"

#include "record/event_id.h"

/* Python: uuid.uuid5(uuid.UUID(NAMESPACE), "demo\0coach\0k") */
Test(event_id, a_key_always_makes_the_same_id) {
  char id[UUID_TEXT_SIZE];
  cr_assert_eq(event_id_from_key(text("demo"), text("coach"), text("k"), id), 0);
  cr_assert_str_eq(id, "67ea31ee-d5f1-5183-a196-3845223231ba");
}

Test(event_id, ids_from_keys_tell_project_agent_and_key_apart) {
  char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];
  event_id_from_key(text("p"), text("ab"), text("c"), a);
  event_id_from_key(text("p"), text("a"), text("bc"), b);
  cr_assert_str_neq(a, b);
  event_id_from_key(text("pa"), text("b"), text("c"), b);
  cr_assert_str_neq(a, b);
}
