import { createContextKey } from '@opentelemetry/api';
import { background, withCancel, withTimeout, withValue, type Context } from '@curfew/context';
import { subscribe } from '@curfew/context/spi';
import { useManualClock } from '../../../test/manual-clock';

// What each context costs, by counts that no load of the machine moves.

test.each([
  ['a node', withCancel(background())[0]],
  ['a value', withValue(background(), createContextKey('price'), 1)],
])('%s has each of its fields written once', (_what, ctx) => {
  const built = String(ctx.constructor);
  const bare = [...built.matchAll(/^\s*(\w+);$/gm)].map(([, name]) => name);
  expect([built.startsWith('class'), bare]).toEqual([true, []]);
});

// A reading costs as much as all the rest of a life.
test.each([
  ['released', Infinity, (parent) => withCancel(parent)[1](), [0, 2]],
  ['released before its deadline', Infinity, (parent) => withTimeout(parent, 50)[1](), [2, 2]],
  ['released under a deadline', 100, (parent) => withCancel(parent)[1](), [2, 2]],
  ['released before its deadline under another', 100, (parent) => withTimeout(parent, 50)[1](), [2, 2]],
] satisfies [string, number, (parent: Context) => void, number[]][])(
  'a context %s reads the clock to compare deadlines, twice in a life, and no more often where somebody listens',
  (_life, ms, live, expected) => {
    const { clock, restore } = useManualClock();
    const [parent, cancel] = withTimeout(background(), ms);
    // The first deadline arms the timer, for which it reads the clock once more: that of another stands armed.
    const [, release] = withTimeout(background(), 10);
    const now = jest.spyOn(clock, 'now');
    live(parent);
    const alone = now.mock.calls.length;
    // As telemetry does: it takes the core's reading where there is one.
    const told = (event: { now: number }) => void (Number.isNaN(event.now) && clock.now());
    const unsubscribe = subscribe({ contextStarted: told, contextEnded: told });
    live(parent);
    unsubscribe();
    expect([alone, now.mock.calls.length - alone]).toEqual(expected);
    release();
    cancel();
    restore();
  },
);
