/* report_assets.h - the page's style sheet and script: report_page.css and report_page.js, which
 * the build turns into text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KAIZEN_HOST_REPORT_ASSETS_H
#define KAIZEN_HOST_REPORT_ASSETS_H

extern const char report_assets_style[];
extern const char report_assets_script[];

#endif
