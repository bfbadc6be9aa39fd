/* hook_target_text.h - the files of our own that some coding agents need.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_HOOK_TARGET_TEXT_H
#define KAIZEN_HOST_HOOK_TARGET_TEXT_H

extern const char hook_target_goose_plugin[];
extern const char hook_target_opencode[];
extern const char hook_target_openclaw_package[];
extern const char hook_target_openclaw_manifest[];
extern const char hook_target_openclaw_index[];

#endif
