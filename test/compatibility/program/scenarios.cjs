// How a request can end early. What each of them says, and what the table in expected.ts expects of it, is one name.
'use strict';
const { background, run, withCancel, withSignal, withTimeout } = require('@curfew/context');

/** The server's own limit for a request, in milliseconds. */
exports.SERVER_LIMIT = 10_000;

/**
 * Each makes the caller's context from the one that carries its trace, and says how that ends once the request is
 * where `head` says: with the handler, or with a head of that status on its way back. `told` servers know the budget.
 */
exports.scenariosOf = function scenariosOf(clock) {
  const cancelable = (base) => withCancel(base, { name: 'caller' });
  const limited = (timeout) => (base) => withTimeout(base, timeout, { name: 'caller' });
  const ends = {
    'a release': { end: ({ cancel }) => cancel() },
    'a cancel of tracked work': { within: run, end: ({ cancel }) => cancel() },
    'a cancel with an Error': { end: ({ cancel }) => cancel(new Error('superseded')) },
    'a cancel with a string': { end: ({ cancel }) => cancel('user left') },
    'a deadline': { derive: limited(100), end: () => clock.advance(100) },
    'a deadline that the server was told': {
      derive: limited(100),
      told: true,
      end: () => clock.advance(100),
    },
    "the server's deadline": { end: () => clock.advance(exports.SERVER_LIMIT) },
  };
  return {
    ...named(ends, ', before the head', {}),
    ...named(ends, ', after the head', { head: 200 }),
    'a hang-up after the head of a 500': { head: 500, end: ({ cancel }) => cancel('user left') },
    'a hang-up just before a deadline that the server was told': {
      derive: limited(1_000),
      told: true,
      end({ cancel }) {
        clock.advance(990);
        cancel('user left');
      },
    },
    "a hang-up after the server's deadline, which a blocked loop hid": {
      end({ cancel }) {
        clock.block(exports.SERVER_LIMIT + 5);
        cancel('user left');
      },
    },
    'a budget that was spent on arrival': { options: { headers: { 'x-request-timeout-ms': '0' } } },
    'a call after a cancel': {
      refused: true,
      derive(base) {
        const derived = cancelable(base);
        derived[1]('user left');
        return derived;
      },
    },
    'a call after a deadline': { refused: true, derive: limited(0) },
    'a cancel in the same turn': { refused: true, end: ({ cancel }) => cancel('user left') },
    'a signal that the call has too': bySignal((signal) => signal),
    'a signal that is one of those of the context': bySignal((signal) => AbortSignal.any([signal])),
  };

  function bySignal(signalOf) {
    let controller;
    return {
      derive(base) {
        controller = new AbortController();
        this.options = { signal: controller.signal };
        return withSignal(base, signalOf(controller.signal), { name: 'caller' });
      },
      end: () => controller.abort(new Error('superseded')),
    };
  }
};

function named(scenarios, suffix, more) {
  return Object.fromEntries(
    Object.entries(scenarios).map(([name, scenario]) => [name + suffix, { ...scenario, ...more }]),
  );
}
