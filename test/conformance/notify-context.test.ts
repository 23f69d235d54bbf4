import { background, notifyContext, withCancel } from '@curfew/context';
import { row } from './row';
import { spawned } from './support';

/** Kept alive until it ends by itself or a signal ends it; `raise` sends this process a signal. */
const PROGRAM = `
  const alive = setInterval(() => undefined, 1000);
  const raise = (signal) => process.kill(process.pid, signal);
  const turn = () => new Promise(setImmediate);
  const handlers = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
  const ended = (ctx) => new Promise((resolve) => c.onEnd(ctx, resolve));
  async function main() {`;

const run = (body: string) => spawned(`${PROGRAM}${body}}; main().finally(() => clearInterval(alive));`);

row('N1', 'done on the first listed signal, on stop, or when the parent is done', () => {
  const { lines, status } = run(`
    const [bySignal, stop1] = c.notifyContext(c.background(), 'SIGINT', 'SIGTERM');
    const [byStop, stop2] = c.notifyContext(c.background(), 'SIGINT');
    const [parent, cancel] = c.withCancel(c.background());
    const [byParent, stop3] = c.notifyContext(parent, 'SIGINT');
    stop2();
    cancel();
    console.log(bySignal.err()?.message, byStop.err()?.message, byParent.err()?.message);
    raise('SIGTERM');
    await ended(bySignal);
    console.log(bySignal.cause().signal);
    stop1();
    stop3();
  `);
  expect([lines, status]).toEqual([['undefined context canceled context canceled', 'SIGTERM'], 0]);
});

row('N2', 'ten signals do not kill the process while it is not stopped', () => {
  const { lines, status } = run(`
    const [ctx, stop] = c.notifyContext(c.background(), 'SIGINT');
    raise('SIGINT');
    await ended(ctx);
    for (let more = 0; more < 10; more++) {
      raise('SIGINT');
      await turn();
    }
    console.log('alive', handlers());
    stop();
    console.log(handlers());
  `);
  expect([lines, status]).toEqual([['alive 1', '0'], 0]);
});

row('N3', 'stop gives the signal its default back, however often it is called: the next one kills', () => {
  const { lines, signal } = run(`
    const [ctx, stop] = c.notifyContext(c.background(), 'SIGINT');
    for (let call = 0; call < 10; call++) stop();
    console.log(ctx.err().message, handlers());
    raise('SIGINT');
    await new Promise(() => undefined);
  `);
  expect([lines, signal]).toEqual([['context canceled 0'], 'SIGINT']);
});

row('N4', 'under a parent cancelled before or after: done and Canceled, and nothing stays installed', () => {
  const { lines, status } = run(`
    const [before, cancelBefore] = c.withCancel(c.background());
    cancelBefore('early');
    const [premature] = c.notifyContext(before, 'SIGINT', 'SIGTERM');
    console.log(premature.cause(), handlers());
    const [after, cancelAfter] = c.withCancel(c.background());
    const [ctx] = c.notifyContext(after, 'SIGINT', 'SIGTERM');
    console.log(handlers());
    cancelAfter('late');
    console.log(ctx.cause(), c.isCanceled(ctx.err()), handlers());
    // A signal that ended only the parent is no reason to go on listening here.
    const [outer, stopOuter] = c.notifyContext(c.background(), 'SIGTERM');
    const [inner] = c.notifyContext(outer, 'SIGINT');
    raise('SIGTERM');
    await ended(inner);
    console.log(handlers());
    stopOuter();
    console.log(handlers());
  `);
  expect([lines, status]).toEqual([['early 0', '2', 'late true 0', '1', '0'], 0]);
});

row('N5', 'the name tells the parent and the signals as Go does', () => {
  const [parent] = withCancel(background());
  const [ctx, stop] = notifyContext(parent, 'SIGINT', 'SIGTERM');
  stop();
  expect(ctx.toString()).toBe('signal.NotifyContext(context.Background.WithCancel, [interrupt terminated])');
  expect(withCancel(ctx)[0].toString()).toBe(`${ctx.toString()}.WithCancel`);
});

row('N6', 'the cause is an error that names the signal, and isCanceled', () => {
  const { lines } = run(`
    const [ctx, stop] = c.notifyContext(c.background(), 'SIGINT');
    raise('SIGINT');
    await ended(ctx);
    const cause = ctx.cause();
    console.log(cause.message, '/', cause.signal, '/', c.isCanceled(cause), '/', c.isCanceled(ctx.err()));
    stop();
  `);
  expect(lines).toEqual(['interrupt signal received / SIGINT / true / true']);
});
