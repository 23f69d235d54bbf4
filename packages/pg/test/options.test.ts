import { background } from '@curfew/context';
import { guarded } from '@curfew/context/spi';
import { backstop, instrumentPg, query } from '@curfew/pg';
import pg from 'pg';

const client = new pg.Client();

describe.each<[string, (options: never) => unknown]>([
  ['instrumentPg', (options) => instrumentPg(pg, options)],
  ['query', (options) => query(background(), client, 'SELECT 1', [], options)],
])('%s refuses at once, by name', (_, call) => {
  test.each<[object | null | number, typeof TypeError | typeof RangeError, string]>([
    [{ grace: NaN }, RangeError, 'options.grace must be 0 or more milliseconds, got NaN'],
    [{ grace: -1 }, RangeError, 'options.grace must be 0 or more milliseconds, got -1'],
    [{ grace: '5000' }, TypeError, 'options.grace must be a number of milliseconds, got "5000"'],
    [{ cancelTimeout: NaN }, RangeError, 'options.cancelTimeout must be 0 or more milliseconds, got NaN'],
    [{ cancelTimeout: null }, TypeError, 'options.cancelTimeout must be a number of milliseconds, got null'],
    [{ track: 'false' }, TypeError, 'options.track must be a boolean, got "false"'],
    [null, TypeError, 'options must be an options object, got null'],
    [500, TypeError, 'options must be an options object, got 500'],
  ])('%p', (options, kind, message) => {
    const { query: uncovered } = pg.Client.prototype;
    expect(() => call(options as never)).toThrow(new kind(message));
    expect(() => call(options as never)).toThrow(kind);
    expect(pg.Client.prototype.query).toBe(uncovered);
    expect(guarded()).toBe(false);
  });
});

test.each<[object | null, string]>([
  [{ margin: NaN }, 'options.margin must be 0 or more milliseconds, got NaN'],
  [{ margin: '1000' }, 'options.margin must be a number of milliseconds, got "1000"'],
  [null, 'options must be an options object, got null'],
])('backstop rejects with what is wrong, and asks the server nothing: %p', async (options, message) => {
  await expect(backstop(background(), client, options as never)).rejects.toThrow(message);
});
