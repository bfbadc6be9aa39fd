/* figures_json.h - figures and changes as members of a document.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_FIGURES_JSON_H
#define KAIZEN_HOST_FIGURES_JSON_H

#include <json-c/json.h>

#include "report/figures.h"

/* In the form of the schemas of list, show and report; what no run carries is null. */
struct json_object *figures_json(const struct figures *figures, const struct names *names);
/* {"successes","count","rate"} of some runs. */
struct json_object *figures_json_share(struct share share);
/* {"success","duration","quality"}, each {"verdict","since","p","before","after"}. */
struct json_object *figures_json_changes(const struct figures_changes *changes);

#endif
