import { background, todo, withCancel, withoutCancel, withTimeout, withValue } from '@curfew/context';
import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { row } from './row';
import { ForeignContext, manualClock } from './support';

const clock = manualClock();

row('G101', 'a value is shown if it is a string, otherwise by its type; nothing is serialised', () => {
  const key = createContextKey('key');
  class Session {
    token = 'secret';
  }
  const shown = [
    ['text', 'text'],
    [new Session(), 'Session'],
    [{ token: 'secret' }, 'Object'],
    [Object.create(null), 'Object'],
    [[1], 'Array'],
    [7, 'number'],
    [undefined, '<nil>'],
    [null, '<nil>'],
  ] as const;
  for (const [value, name] of shown) {
    expect(withValue(background(), key, value).toString()).toBe(`context.Background.WithValue(key, ${name})`);
  }
  const [ctx] = withCancel(withValue(todo(), key, 'a'));
  expect(withoutCancel(withValue(ctx, key, 'b')).toString()).toBe(
    'context.TODO.WithValue(key, a).WithCancel.WithValue(key, b).WithoutCancel',
  );
});

row('G102', 'a context of an unknown class is shown by its name', () => {
  const [ctx] = withCancel(new ForeignContext(ROOT_CONTEXT));
  expect(ctx.toString()).toBe('ForeignContext.WithCancel');
  expect(withCancel(ROOT_CONTEXT)[0].toString()).toBe('context.Background.WithCancel');
});

row('G103', 'the time left is worked out when the name is printed, and may be negative', () => {
  const [ctx] = withTimeout(background(), 50);
  const name = (left: string) =>
    expect(ctx.toString()).toBe(`context.Background.WithDeadline(2026-01-01T00:00:00.050Z [${left}])`);
  name('50ms');
  clock.advance(20);
  name('30ms');
  clock.block(100);
  name('-70ms');
});
