# kaizen_system.m4 - which operating systems the plugin is built for, and with which of their calls.
#
# SPDX-License-Identifier: Apache-2.0

# KAIZEN_WITH_LINUX_CALLS
# Defines KAIZEN_LINUX_CALLS as 1, or as 0 for a build that has the POSIX way of each alone: plugin/base/os_*.c.
AC_DEFUN([KAIZEN_WITH_LINUX_CALLS], [
  AC_ARG_WITH([linux-calls],
    [AS_HELP_STRING([--without-linux-calls], [use only POSIX calls; some promises are weaker, kaizen-host doctor names them])],
    [], [with_linux_calls=yes])
  AS_CASE([$with_linux_calls],
    [yes], [kaizen_linux_calls=1],
    [no], [kaizen_linux_calls=0],
    [AC_MSG_ERROR([--with-linux-calls takes yes or no, not '$with_linux_calls'])])
  AC_DEFINE_UNQUOTED([KAIZEN_LINUX_CALLS], [$kaizen_linux_calls],
    [1 to use system calls that only Linux has, 0 for POSIX calls alone])
])

# KAIZEN_REQUIRE_SYSTEM
# Refuses what no test runs on with a sentence, before the build stops in the middle.  The public headers are for
# every system: a host may be built where the plugin is not.
AC_DEFUN([KAIZEN_REQUIRE_SYSTEM], [
  AC_CHECK_TYPE([unsigned __int128], [],
    [AC_MSG_ERROR([$CC has no 128-bit integers, needed to read and print numbers exactly: build on a 64-bit dnl
system; 32-bit ones are not supported])])
  AC_CHECK_FUNC([strerrordesc_np], [],
    [AC_MSG_ERROR([the C library has no strerrordesc_np: the GNU C library 2.32 or newer is needed (musl serves dnl
hosts, not the plugin)])])
  AS_IF([test "$kaizen_linux_calls" = 1],
    [AC_CHECK_HEADERS([linux/openat2.h], [],
      [AC_MSG_ERROR([linux/openat2.h is missing: install headers of Linux 5.6 or newer, or configure dnl
--without-linux-calls])])])
])
