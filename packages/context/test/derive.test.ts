import { background, isCanceled, withCancel, withTimeout } from '@curfew/context';
import { NODE_KEY, subscribe } from '@curfew/context/spi';
import { context, diag, DiagLogLevel, ROOT_CONTEXT, type Context as OtelContext } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

/** A context whose node speaks a protocol that nobody here knows, and how to end it. */
function stranger(): { ctx: OtelContext; end: (error: unknown) => void; listeners: readonly unknown[] } {
  let ended: unknown;
  const listeners: (() => void)[] = [];
  const node = {
    protocol: 99,
    err: () => ended,
    cause: () => ended,
    onEnd: (fn: () => void) => (listeners.push(fn), () => true),
  };
  return {
    ctx: ROOT_CONTEXT.setValue(NODE_KEY, node),
    end(error) {
      ended = error;
      for (const listener of listeners) listener();
    },
    listeners,
  };
}

test('a deadline whose cause is dropped for an earlier one says so, and one without a cause says nothing', () => {
  const lines: string[] = [];
  const quiet = () => undefined;
  const logger = { error: quiet, warn: quiet, info: quiet, verbose: quiet };
  diag.setLogger(
    { ...logger, debug: (line) => void lines.push(line) },
    { logLevel: DiagLogLevel.DEBUG, suppressOverrideMessage: true },
  );
  lines.length = 0;
  const [parent, release] = withTimeout(background(), 1e6);
  withTimeout(parent, 2e6);
  expect(lines).toEqual([]);
  withTimeout(parent, 2e6, { cause: 'late' });
  expect(lines).toEqual(["curfew: a deadline's cause is not used, the parent's deadline is earlier"]);
  release();
  diag.disable();
});

test("another protocol's error that is neither of our two reads as a cancellation", () => {
  const { ctx, end } = stranger();
  const [child] = withCancel(ctx);
  end(new Error('stopped'));
  expect([isCanceled(child.err()), child.cause()]).toEqual([true, child.err()]);
});

test("under one of another protocol's that has ended nothing waits for its end", () => {
  const { ctx, end, listeners } = stranger();
  end(new Error('stopped'));
  expect(isCanceled(withCancel(ctx)[0].err())).toBe(true);
  expect(listeners).toEqual([]);
});

test("a context under one of another protocol's breaks no chain: it hears of its end", () => {
  const broken: string[] = [];
  const stop = subscribe({ chainBroken: ({ cause }) => void broken.push(cause) });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const [request, release] = withCancel(background());
  context.with(request, () => withCancel(stranger().ctx));
  expect(broken).toEqual([]);
  context.with(request, () => withCancel(ROOT_CONTEXT));
  expect(broken).toEqual(['background']);
  release();
  context.disable();
  stop();
});

test('a root outside of every live context breaks no chain, nor one under a context that has ended', () => {
  const broken: string[] = [];
  const stop = subscribe({ chainBroken: ({ cause }) => void broken.push(cause) });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  withCancel(background());
  const [ended, end] = withCancel(background());
  end('why');
  context.with(ended, () => withCancel(background()));
  expect(broken).toEqual([]);
  context.disable();
  stop();
});
