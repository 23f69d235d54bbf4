import { background, isCanceled, merge, onEnd, withCancel, withTimeout } from '@curfew/context';
import {
  automaticError,
  end,
  isAutomatic,
  isEnforced,
  markAutomatic,
  nodeOf,
  setEnforcement,
  subscribe,
  takeRefusal,
  withLimit,
} from '@curfew/context/spi';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

describe('what Curfew adds', () => {
  let manual: ManualClock;
  let restoreClock: () => void;
  beforeEach(() => {
    ({ clock: manual, restore: restoreClock } = useManualClock());
  });
  afterEach(() => restoreClock());

  /** Runs `fn` under the kill switch; returns what was told as observed. */
  function observing(fn: () => void): string[] {
    const told: string[] = [];
    const stop = subscribe({
      cancellationObserved: ({ reason, origin }) => void told.push(`${reason} by ${origin}`),
    });
    const restore = setEnforcement(false);
    try {
      fn();
    } finally {
      restore();
      stop();
    }
    return told;
  }

  test('a limit that is observed ends neither its context nor what the program limits later', () => {
    const told = observing(() => {
      const [request] = withLimit(background(), 50);
      const [own, release] = withTimeout(request, 300);
      expect([request.deadline(), request.remaining(), own.remaining()]).toEqual([undefined, Infinity, 300]);
      manual.advance(60);
      expect([request.err(), own.err()]).toEqual([undefined, undefined]);
      manual.advance(240);
      expect([request.err(), own.err()?.name]).toEqual([undefined, 'TimeoutError']);
      release();
    });
    expect(told).toEqual(['deadline_exceeded by deadline']);
  });

  test('a limit that is observed is told once, and never after its context has ended', () => {
    const told = observing(() => {
      const [, cancel] = withLimit(background(), 50);
      cancel('done');
      withLimit(background(), 0);
      manual.advance(1_000);
    });
    expect(told).toEqual(['deadline_exceeded by deadline']);
  });

  test('a limit that is observed is told, however late its timer is: by what ends its context before', () => {
    const told = observing(() => {
      const [late, cancel] = withLimit(background(), 50);
      manual.block(50);
      cancel('done');
      expect(late.cause()).toBe('done');
    });
    expect(told).toEqual(['deadline_exceeded by deadline']);
  });

  test('a limit that is observed where nobody listens passes without a word', () => {
    const restore = setEnforcement(false);
    const [limited] = withLimit(background(), 50);
    manual.advance(50);
    restore();
    expect(limited.err()).toBeUndefined();
  });

  test("under the kill switch the program's own cancel, deadline and parent work as ever", () => {
    const told = observing(() => {
      const [parent, cancel] = withCancel(background());
      const [child] = withLimit(parent, 10_000);
      const ended: unknown[] = [];
      onEnd(child, () => ended.push(child.cause()));
      cancel('why');
      expect(ended).toEqual(['why']);
    });
    expect(told).toEqual([]);
  });

  test('under the kill switch an automatic end retires, and one that is not is carried out', () => {
    const told = observing(() => {
      const [request] = withCancel(background());
      end(request, { origin: 'client_disconnect', automatic: true });
      expect([request.err(), nodeOf(request)?.ending?.retired]).toEqual([undefined, true]);
      const [job] = withCancel(background());
      end(job, { origin: 'shutdown' });
      expect(isCanceled(job.err())).toBe(true);
    });
    expect(told).toEqual(['canceled by client_disconnect']);
  });

  test('a limit set before the kill switch is thrown still ends its context', () => {
    const [request] = withLimit(background(), 50);
    const told = observing(() => manual.advance(50));
    expect([told, request.err()?.name]).toEqual([[], 'TimeoutError']);
  });

  test('the error of an automatic end is marked, and that of a program is not', () => {
    const [request] = withCancel(background());
    const [inner] = withCancel(request);
    end(request, { origin: 'client_disconnect', automatic: true });
    const [limited] = withLimit(background(), 0);
    expect([request.err(), inner.err(), limited.err()].map(isAutomatic)).toEqual([true, true, true]);
    const [own] = withTimeout(background(), 0);
    const [released, release] = withCancel(background());
    const [followed, releaseFollowed] = withCancel(background());
    onEnd(followed, () => undefined);
    release();
    releaseFollowed();
    expect([own.err(), released.err(), followed.err()].map(isAutomatic)).toEqual([false, false, false]);
  });

  test('what follows a context by merge ends as automatically as it did', () => {
    const [request] = withCancel(background());
    const [merged] = merge(background(), request);
    const [late] = merge(background(), withLimit(background(), 50)[0]);
    end(request, { origin: 'client_disconnect', automatic: true });
    manual.advance(50);
    expect([nodeOf(merged)?.ending?.automatic, nodeOf(late)?.ending?.automatic]).toEqual([true, true]);
  });

  test('each automatic call gets an error of its own, under one that is nobody’s but the context’s', () => {
    const [ctx, cancel] = withCancel(background());
    cancel('why');
    const [first, second] = [automaticError(ctx), automaticError(ctx)];
    expect(first).not.toBe(second);
    expect([first.cause, second.cause]).toEqual([ctx.err(), ctx.err()]);
    expect([first, second, ctx.err()].map(isAutomatic)).toEqual([true, true, false]);
  });

  test('an error that takes no mark is handed back as it is', () => {
    const frozen = Object.freeze(new Error('frozen'));
    expect(markAutomatic(frozen)).toBe(frozen);
    expect(isAutomatic(frozen)).toBe(false);
  });

  test('is known in the error that wraps it, whatever name it is kept under', () => {
    const [ctx, cancel] = withCancel(background());
    cancel('why');
    const driverError = automaticError(ctx);
    const original = Object.assign(new Error('QueryFailedError'), { driverError });
    expect(isAutomatic(Object.assign(new Error('GraphQLError'), { originalError: original }))).toBe(true);
    expect(isAutomatic(Object.assign(new Error('about it'), { about: { driverError } }))).toBe(false);
  });

  test('a few calls of each context that has ended are refused, and the rest let through', () => {
    const [first, cancelFirst] = withCancel(background());
    const [second, cancelSecond] = withCancel(background());
    cancelFirst('why');
    cancelSecond('why');
    const refused = (ctx: typeof first) =>
      Array.from({ length: 20 }, () => takeRefusal(ctx)).filter(Boolean).length;
    expect([refused(first), refused(second), refused(first)]).toEqual([16, 16, 0]);
    expect(takeRefusal(background())).toBe(false);
  });

  test('is carried out unless the kill switch is thrown', () => {
    expect(isEnforced()).toBe(true);
    observing(() => expect(isEnforced()).toBe(false));
  });
});
