// scene.mjs - one scene in the real NeMo Relay, for nemo_relay_real.py.
//
// SPDX-License-Identifier: Apache-2.0
//
// Usage: scene.mjs MODULES PLUGINS_TOML SCENE [ARGUMENT]
import { createRequire } from 'node:module';
import { readFileSync, readdirSync } from 'node:fs';

const [modules, file, scene, argument] = process.argv.slice(2);
const require = createRequire(`${modules}/scene.js`);
const relay = require('nemo-relay-node');
const plugins = require('nemo-relay-node/plugin');
const { ScopeType } = relay;
const say = (value) => console.log(JSON.stringify(value));
const open = () => plugins.initialize({ version: 1, components: [] }, file);
const run = (name, work = async () => {}, metadata = null, parent = null) =>
  relay.withScope(name, ScopeType.Agent, work, parent, null, null, metadata);
const failing = (name) => run(name, async () => { throw new TypeError('CANARY'); }).catch(() => {});
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
const ask = (scope) => relay.llmCallExecute(
  'openai', { headers: {}, content: { model: 'gpt-4.1-mini', messages: [{ role: 'user', content: 'CANARY' }] } },
  () => ({ object: 'chat.completion', model: 'gpt-4.1-mini', choices: [{ index: 0, message: { role: 'assistant', content: 'CANARY' } }], usage }),
  scope, null, null, null, 'gpt-4.1-mini');
const load = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  images: new Set(readFileSync('/proc/self/maps', 'utf8').match(/\S*kaizen_metrics\S*/g)).size,
});

const scenes = {
  async kinds() { // success with a model and a tool, failure, nesting, a turn as the gateway makes it
    const active = await open();
    await run('Triage Agent', async (scope) => {
      await relay.toolCallExecute('search', { q: 'CANARY' }, () => ({ result: { hits: 'CANARY' } }), scope);
      await ask(scope);
      await run('helper', (inner) => ask(inner), null, scope);
    }, { session_id: 's-1' });
    await failing('coach');
    await relay.withScope('claude-code-turn', ScopeType.Custom, async () => {}, null, null, null,
      { session_id: 's-2', nemo_relay_scope_role: 'turn', plugin_config: { secret: 'CANARY' } });
    await relay.flushSubscribers();
    await active.close();
  },
  async crowd() { // 400 at once, each on a stack of its own as the host wants it; each fifth fails
    const active = await open();
    const one = async (i) => {
      await run(`worker-${i % 7}`, async () => {
        await new Promise((go) => setImmediate(go));
        if (i % 5 === 0) throw new TypeError('CANARY');
      }).catch(() => {});
    };
    await Promise.all(Array.from({ length: 400 }, (_, i) => relay.withScopeStack(relay.createScopeStack(), () => one(i))));
    await relay.flushSubscribers();
    await active.close();
  },
  async ends() { // how the process ends: closed, flushed, or neither
    const active = await open();
    for (let i = 0; i < 200; i++) relay.popScope(relay.pushScope('coach', ScopeType.Agent));
    if (argument === 'close') await active.close();
    if (argument === 'flush') await relay.flushSubscribers();
    if (argument !== 'close') process.exit(0);
  },
  async open_at_close() {
    const before = relay.pushScope('started-before', ScopeType.Agent);
    const active = await open();
    relay.popScope(before);
    const left = relay.pushScope('left-open', ScopeType.Agent);
    await active.close();
    relay.popScope(left);
    await relay.flushSubscribers();
  },
  async close_under_load() { // close() while runs end, then again with another component
    let ended = 0;
    for (let i = 0; i < 20; i++) {
      const active = await open();
      for (let k = 0; k < 20; k++, ended++) relay.popScope(relay.pushScope('coach', ScopeType.Agent));
      await active.close();
    }
    say({ ended });
  },
  async reloads() {
    const first = await open();
    await first.close();
    const before = load();
    for (let i = 0; i < 30; i++) {
      const active = await open();
      await run('coach');
      await active.close();
    }
    await relay.flushSubscribers();
    say({ before, after: load() });
  },
  async refused() { // the host's own error
    try {
      const active = await open();
      say({ loaded: active.report?.dynamic_plugins?.[0]?.status ?? true });
      await active.close();
    } catch (error) {
      say({ refused: error.message });
    }
  },
};
await scenes[scene]();
