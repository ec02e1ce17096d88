import { assert, assertEquals, assertFails } from './assert.js';
import { engineOver } from '../../runtime_js/runtime/engine.js';
import { MdstError } from '../../runtime_js/runtime/errors.js';
import { Caller, serve } from '../../runtime_js/runtime/rpc.js';

/** A worker in the same thread: what is posted arrives later, as a copy. */
class End extends EventTarget {
  /** @type {End} */
  other = this;
  terminated = false;

  /** @param {any} data */
  postMessage(data) {
    const copy = structuredClone(data);
    queueMicrotask(() => this.other.dispatchEvent(new MessageEvent('message', { data: copy })));
  }

  terminate() {
    this.terminated = true;
  }
}

/**
 * @param {(order: { method: string, argument: any }, call: any) => Promise<any>} answer
 * @returns {{ caller: Caller, worker: End }}
 */
function connect(answer) {
  const worker = new End();
  const inside = new End();
  worker.other = inside;
  inside.other = worker;
  serve(/** @type {any} */ (inside), answer);
  return { caller: new Caller(/** @type {any} */ (worker)), worker };
}

Deno.test('values, parts and errors come through, each to its call', async () => {
  const { caller } = connect(async ({ method, argument }, { onPart }) => {
    await Promise.resolve();
    if (method === 'fail') {
      const problems = [{ what: 'x', needed: 2, found: 1, message: 'm' }];
      throw new MdstError('unsupported_device', 'no', { problems });
    }
    if (method === 'bug') throw new TypeError('oops');
    onPart(argument + 1);
    return argument + 2;
  });
  /** @type {number[]} */
  const parts = [];
  const all = [1, 10].map((n) => caller.call('add', n, { onPart: (part) => parts.push(part) }));
  assertEquals(await Promise.all(all), [3, 12]);
  assertEquals(parts, [2, 11]);
  const error = await assertFails(() => caller.call('fail', 0), 'unsupported_device');
  assert(error instanceof MdstError && error.problems[0].needed === 2);
  const bug = await caller.call('bug', 0).catch((/** @type {Error} */ e) => e);
  assertEquals([bug.name, bug.message], ['TypeError', 'oops']);
});

Deno.test('a signal reaches the other side, before and during the call', async () => {
  const { caller } = connect((_, { signal }) =>
    new Promise((resolve) => {
      if (signal.aborted) resolve('before');
      signal.addEventListener('abort', () => resolve('during'));
    })
  );
  const during = new AbortController();
  const answer = caller.call('wait', 0, { signal: during.signal });
  during.abort();
  assertEquals(await answer, 'during');
  assertEquals(await caller.call('wait', 0, { signal: AbortSignal.abort() }), 'during');
});

Deno.test('what no message can carry is a wrong request', async () => {
  const { caller } = connect(() => Promise.resolve(1));
  await assertFails(() => caller.call('x', { f: () => {} }), 'invalid_request');
  assertEquals(await caller.call('x', {}), 1);
});

Deno.test('the end of a worker ends all calls', async () => {
  const { caller, worker } = connect(() => new Promise(() => {}));
  const answer = caller.call('wait', 0);
  caller.end(new MdstError('unloaded', 'gone'));
  await assertFails(() => answer, 'unloaded');
  await assertFails(() => caller.call('wait', 0), 'unloaded');
  assert(worker.terminated);
});

Deno.test('a worker whose script fails says so', async () => {
  const { caller, worker } = connect(() => new Promise(() => {}));
  const answer = caller.call('load', 0);
  worker.dispatchEvent(new ErrorEvent('error', { message: '404', cancelable: true }));
  assert((await assertFails(() => answer, 'download_failed')).message.includes('404'));
});

Deno.test('a worker that fails later is lost, and the model must be loaded again', async () => {
  const { caller, worker } = connect(({ method }) =>
    method === 'load' ? Promise.resolve(1) : new Promise(() => {})
  );
  assertEquals(await caller.call('load', 0), 1);
  const answer = caller.call('complete', 0);
  worker.dispatchEvent(new ErrorEvent('error', { message: 'oops', cancelable: true }));
  assert((await assertFails(() => answer, 'device_lost')).message.includes('oops'));
});

Deno.test('leaving a stream stops it and waits for its end', async () => {
  let ended = false;
  const { caller } = connect(async (_, { signal, onPart }) => {
    onPart(null);
    for (let i = 0; !signal.aborted; i += 1) {
      onPart({ i });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    ended = true;
  });
  const engine = engineOver({
    call: (method, argument, options) => caller.call(method, argument, options),
    end: (error) => caller.end(error),
    worker: true,
  });
  const stream = await engine.completions.create({ prompt: 'x', stream: true });
  for await (const chunk of stream) if (/** @type {any} */ (chunk).i === 2) break;
  assert(ended);
});

Deno.test('a request that is refused fails at once, also as a stream', async () => {
  const { caller } = connect(() => Promise.reject(new MdstError('invalid_request', 'no')));
  const engine = engineOver({
    call: (method, argument, options) => caller.call(method, argument, options),
    end: () => {},
    worker: true,
  });
  await assertFails(
    () => engine.completions.create({ prompt: [], stream: true }),
    'invalid_request',
  );
});
