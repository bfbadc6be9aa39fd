/* project_identity.h - the identity of a project's tree, in the file `.id` of its metrics folder.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_PROJECT_IDENTITY_H
#define KAIZEN_PROJECT_IDENTITY_H

#include "store/project.h"

/* The identity of this tree (.kaizen/metrics/.id): a random id beside the folder's inode and birth
 * time.  Made when missing (the metrics folder must exist), and rebuilt when the folder is not
 * the one it was written for: the tree was copied, restored or cloned, and every agent's .state
 * that names another id belongs to the original.  -1 with *error. */
int project_identity(const struct project *project, unsigned char id[PROJECT_ID_SIZE],
                     struct error *error);
/* The same, but where the file holds none, `known_id` is written: for a caller that knows that the
 * folder is still the one that had it. */
int project_identity_restore(const struct project *project,
                             const unsigned char known_id[PROJECT_ID_SIZE],
                             unsigned char id[PROJECT_ID_SIZE], struct error *error);
/* The same without writing: 1 when it is missing or another folder's. */
int project_identity_look(const struct project *project, unsigned char id[PROJECT_ID_SIZE],
                          struct error *error);

#endif
