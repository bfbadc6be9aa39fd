/* exit_code.h - what the exit status of kaizen-host means; kaizen-host(1) has the same table.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_EXIT_CODE_H
#define KAIZEN_HOST_EXIT_CODE_H

enum exit_code {
  EXIT_CODE_OK = 0,       /* recorded, a duplicate, or simply done */
  EXIT_CODE_FAILED = 1,   /* not recorded, not found, not consistent */
  EXIT_CODE_USAGE = 2,    /* the command line is wrong */
  EXIT_CODE_REFUSED = 3,  /* the plugin or the configuration is refused */
  EXIT_CODE_REJECTED = 4, /* the execution can never be recorded */
  EXIT_CODE_UNSENT = 5, /* recorded, but not acknowledged within an explicit --wait or --timeout */
  EXIT_CODE_UNDELIVERABLE = 6, /* events held back, dead letters, an unreadable agent, an unusable
                                * broker */
  EXIT_CODE_UNKNOWN = 7,       /* may or may not be recorded: retry with the same key */
  EXIT_CODE_TIMED_OUT = 124,   /* exec stopped the command, as timeout(1) answers it */
  EXIT_CODE_EXEC = 125,        /* exec's own failure, as for env(1) and timeout(1) */
  EXIT_CODE_NOT_EXECUTABLE = 126,
  EXIT_CODE_NOT_FOUND = 127,
  EXIT_CODE_SIGNALLED = 128 /* plus the signal's number */
};

#endif
