# kaizen_nats.m4 - which NATS client library the plugin may load.
#
# SPDX-License-Identifier: Apache-2.0

# KAIZEN_FIND_NATS
# Defines KAIZEN_NATS_SONAME as the soname of the library whose headers are compiled against.  The soname changes
# with every minor version and public structs grow between them, so the plugin loads exactly this one.
AC_DEFUN([KAIZEN_FIND_NATS], [
  AC_ARG_VAR([NATS_SONAME], [soname of the NATS client library, if configure cannot read it])
  AC_CHECK_TOOLS([OBJDUMP], [objdump llvm-objdump], [:])
  AC_MSG_CHECKING([for the soname of libnats])
  kaizen_nats_version=$($PKG_CONFIG --modversion libnats)
  kaizen_nats_soname=$NATS_SONAME
  AS_IF([test -z "$kaizen_nats_soname"], [
    kaizen_nats_libdir=$($PKG_CONFIG --variable=libdir libnats)
    kaizen_nats_soname=$($OBJDUMP -p "$kaizen_nats_libdir/libnats.so" 2>/dev/null |
      while read -r name value; do
        AS_IF([test "$name" = SONAME], [printf '%s' "$value"])
      done)
  ])
  AS_CASE([$kaizen_nats_soname],
    [libnats*.so*], [AC_MSG_RESULT([$kaizen_nats_soname])],
    [AC_MSG_RESULT([not found])
     AC_MSG_ERROR([cannot read the soname of $kaizen_nats_libdir/libnats.so; set NATS_SONAME=libnats.so.X.Y])])
  AC_DEFINE_UNQUOTED([KAIZEN_NATS_SONAME], ["$kaizen_nats_soname"],
    [soname of the NATS client library this build was compiled against])
  AC_DEFINE_UNQUOTED([KAIZEN_NATS_PACKAGE], ["$(echo "$kaizen_nats_soname" | sed 's/\.so\.//')"],
    [Debian's package of that library])
  AC_DEFINE_UNQUOTED([KAIZEN_NATS_VERSION], ["$kaizen_nats_version"], [its version])
])
