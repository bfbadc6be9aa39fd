/* mock_no_symbol.c - a shared object that is not a plugin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
int mock_no_symbol(void);
int mock_no_symbol(void) {
  return 1;
}
