# kaizen_warnings.m4 - the C dialect and the warnings every file of the project is compiled with.
#
# SPDX-License-Identifier: Apache-2.0

# KAIZEN_CC_GNU11
# Asks for C11 with the compiler's extensions; a compiler without it is refused here, not in the middle of the build.
AC_DEFUN([KAIZEN_CC_GNU11], [
  AC_MSG_CHECKING([whether $CC takes -std=gnu11])
  kaizen_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -std=gnu11"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdint.h>
    _Static_assert(sizeof(int32_t) == 4, "C11");]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([a C11 compiler is needed: gcc 5 or clang 3.6, or newer])])
  CFLAGS=$kaizen_save_CFLAGS
])

# KAIZEN_WARNING(FLAG)
# Adds FLAG to WARN_CFLAGS when the compiler knows it.  Unknown -W flags are only errors to clang with -Werror.
AC_DEFUN([KAIZEN_WARNING], [
  AS_VAR_PUSHDEF([known], [kaizen_cv_warning_$1])
  AC_CACHE_CHECK([whether $CC knows $1], [known], [
    kaizen_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $1"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([known], [yes])], [AS_VAR_SET([known], [no])])
    CFLAGS=$kaizen_save_CFLAGS
  ])
  AS_VAR_IF([known], [yes], [WARN_CFLAGS="$WARN_CFLAGS $1"])
  AS_VAR_POPDEF([known])
])

# KAIZEN_WARNINGS
# Sets WARN_CFLAGS.  Warnings are errors only for developers: a newer compiler must not break a user's build.
AC_DEFUN([KAIZEN_WARNINGS], [
  AC_ARG_ENABLE([developer],
    [AS_HELP_STRING([--enable-developer], [treat compiler warnings as errors])],
    [], [enable_developer=no])
  WARN_CFLAGS=
  m4_foreach_w([flag], [-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                        -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2
                        -Wundef -Wpointer-arith -Wlogical-op -Wduplicated-cond],
    [KAIZEN_WARNING(flag)])
  AS_VAR_IF([enable_developer], [yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  AC_SUBST([WARN_CFLAGS])
])
