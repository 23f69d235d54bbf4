import { background, isCanceled, iterate, withCancel } from '@curfew/context';

/** A source that writes down what it is asked, and answers with these steps in turn. */
function source(...steps: (() => Promise<IteratorResult<number>>)[]) {
  const asked: string[] = [];
  const iterator: AsyncIterator<number> = {
    next() {
      asked.push('next');
      return (steps.shift() as () => Promise<IteratorResult<number>>)();
    },
    return() {
      asked.push('return');
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return { asked, [Symbol.asyncIterator]: () => iterator };
}

const value = (given: number) => () => Promise.resolve({ done: false as const, value: given });
const rejects = () => Promise.reject(new Error('the source failed'));
const throws = (): never => {
  throw new Error('the source failed');
};
const unreadable = () =>
  Promise.resolve({
    get done(): never {
      throw new Error('the source failed');
    },
    value: 1,
  });

async function consume(source: AsyncIterable<number>): Promise<unknown> {
  try {
    for await (const each of source) if (each < 0) break;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  ['rejects', [rejects]],
  ['throws', [throws]],
  ['answers what cannot be read', [unreadable]],
  ['rejects after a value', [value(1), rejects]],
  ['is done', [value(1), () => Promise.resolve({ done: true, value: undefined } as const)]],
  ['has its loop left', [value(1), value(-1)]],
])('a source that %s is asked for what `for await` asks it for', async (_, steps) => {
  const [live] = withCancel(background());
  const expected = source(...steps);
  const outcome = await consume(expected);
  for (const ctx of [live, background()]) {
    const actual = source(...steps);
    expect(await consume(iterate(ctx, actual))).toBe(outcome);
    expect(actual.asked).toEqual(expected.asked);
  }
});

test('a source that is stuck when the context ends is asked to return, once, and what that throws is dropped', async () => {
  const [ctx, cancel] = withCancel(background());
  const asked: string[] = [];
  const stuck: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      return(): never {
        asked.push('return');
        throw new Error('the clean-up failed');
      },
    }),
  };
  const step = iterate(ctx, stuck).next();
  cancel('why');
  await expect(step).rejects.toBe(ctx.err());
  expect(isCanceled(ctx.err())).toBe(true);
  expect(asked).toEqual(['return']);
});
