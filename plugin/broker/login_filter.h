/* login_filter.h - keeps logins out of what is told.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_LOGIN_FILTER_H
#define KAIZEN_LOGIN_FILTER_H

#include "broker/transport_settings.h"

/* Does a text of the library or the broker repeat a login of these settings: a password or a token,
 * whole or a part of it, a user's name, or with credentials what looks like a piece of a key or a
 * JWT?  In any form in which they are written or sent: as they are, in JSON, with %XX. */
bool login_filter_holds(const struct transport_settings *settings, const char *text);

#endif
