/* race.h - what the scenarios of tests/proof/race.c share.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_TESTS_RACE_H
#define KAIZEN_TESTS_RACE_H

#include <pthread.h>
#include <stdint.h>

#include <kaizen/plugin.h>

extern const struct kaizen_plugin_v1 *plugin;
extern const char *plugin_path, *project_root, *broker_url;

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int64_t now_ms(void);
void pause_ms(long ms); /* the length of something that happens, never a wait for it */

void *open_plugin(void); /* answers dlopen's handle; sets `plugin` */
struct kaizen_instance *make_instance(void);
void configure_instance(struct kaizen_instance *instance);
struct kaizen_instance *start_instance(void); /* both, and started */

/* One execution with a key of its own, of one of two agents. */
int32_t record(struct kaizen_instance *instance, struct kaizen_receipt *receipt);
void must_record(struct kaizen_instance *instance);
void must_flush(struct kaizen_instance *instance);
unsigned entries_of(const char *path); /* of a folder */
pthread_t run_thread(void *(*body)(void *), void *ctx);

void race_together(char *const arguments[]);
void race_reload(char *const arguments[]);
void race_forked(char *const arguments[]);
void race_signalled(char *const arguments[]);
void race_started(char *const arguments[]);
void race_inherited(char *const arguments[]);
void race_few_files(char *const arguments[]);
void race_small_files(char *const arguments[]);
void race_count(char *const arguments[]);
void race_extensions(char *const arguments[]);

#endif
