# kaizen_system.m4 - which operating systems the plugin is built for, and with which of their calls.
#
# SPDX-License-Identifier: Apache-2.0

# KAIZEN_WITH_LINUX_CALLS
# Defines KAIZEN_LINUX_CALLS as 1, or as 0 for a build that has the POSIX way of each alone: plugin/base/os_*.c.
AC_DEFUN([KAIZEN_WITH_LINUX_CALLS], [
  AC_ARG_WITH([linux-calls],
    [AS_HELP_STRING([--without-linux-calls], [use POSIX calls alone; some promises are weaker, doctor says which])],
    [], [with_linux_calls=yes])
  AS_CASE([$with_linux_calls],
    [yes], [kaizen_linux_calls=1],
    [no], [kaizen_linux_calls=0],
    [AC_MSG_ERROR([--with-linux-calls takes yes or no, not '$with_linux_calls'])])
  AC_DEFINE_UNQUOTED([KAIZEN_LINUX_CALLS], [$kaizen_linux_calls],
    [1 to use system calls that only Linux has, 0 for POSIX calls alone])
])
