# kaizen_linker.m4 - linker flags the plugin cannot do without.
#
# SPDX-License-Identifier: Apache-2.0

# KAIZEN_REQUIRE_LDFLAG(FLAG)
# Adds FLAG to MODULE_LDFLAGS; configure fails when the linker refuses it.  There is no fallback on purpose: without
# nodelete, for one, dlclose() would unmap code that threads of the NATS library still run.
AC_DEFUN([KAIZEN_REQUIRE_LDFLAG], [
  AC_MSG_CHECKING([whether the linker takes $1])
  kaizen_save_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS -shared -fPIC -Wl,--fatal-warnings $1"
  AC_LINK_IFELSE([AC_LANG_SOURCE([[int kaizen_probe(void) { return 0; }]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([the linker refuses $1, which the plugin needs; use GNU ld, gold, lld or mold on Linux])])
  LDFLAGS=$kaizen_save_LDFLAGS
  MODULE_LDFLAGS="$MODULE_LDFLAGS $1"
  AC_SUBST([MODULE_LDFLAGS])
])
