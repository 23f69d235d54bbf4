import { figuresOf, type Figures } from '../src/board/figures';
import { durationOf, lineOf, tableOf, type Moment } from '../src/board/table';

const NOTHING = figuresOf([]);

function momentWith(change: Partial<Figures>, more: Partial<Moment> = {}): Moment {
  return {
    elapsed: 75.9,
    services: [
      ['gateway', { ...NOTHING, ...change }],
      ['orders', NOTHING],
      ['inventory', undefined],
    ],
    activeQueries: 3,
    tally: { sent: 10, answered: 6, hungUp: 2, timedOut: 1, failed: 1 },
    ...more,
  };
}

describe('the table', () => {
  test('figures of many digits still fit eighty columns, and every column keeps its place', () => {
    const huge = { completed: 1_234_567_890, orphansNow: 12_345, orphans: 123_456, wasted: 123_456 };
    const rows = tableOf(momentWith({ ...huge, propagation: { p50: 0.000_123, p99: 0.987 } }));
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(79);
    expect(rows).toContainEqual(expect.stringMatching(/^ {2}completed +1234567890 +0 +down$/));
    expect(rows).toContainEqual(expect.stringMatching(/^ {2}propagation +123µs\/987ms +– +down$/));
  });

  test('a service that is down shows as down in every row, and a silent PostgreSQL says so', () => {
    const rows = tableOf(momentWith({}, { activeQueries: undefined }));
    expect(rows.filter((row) => row.startsWith('  ')).every((row) => row.endsWith('down'))).toBe(true);
    expect(rows).toContain('PostgreSQL  does not answer');
  });

  test('a pair of reason and origin that nobody foresaw gets a row once it is counted', () => {
    const cancellations = new Map([['canceled · shutdown', 4]]);
    expect(tableOf(momentWith({}))).not.toContainEqual(expect.stringContaining('shutdown'));
    expect(tableOf(momentWith({ cancellations }))).toContainEqual(
      expect.stringMatching(/^ {2}canceled · shutdown +4 +0 +down$/),
    );
  });

  test('the time that has passed and the fates of the clients are told', () => {
    const rows = tableOf(momentWith({}));
    expect(rows[0]).toMatch(/^01:15 +gateway +orders +inventory$/);
    expect(rows).toContain('Clients     10 sent: 6 answered, 2 hung up, 1 got 504, 1 failed');
    expect(rows).toContain('PostgreSQL  3 active queries');
  });

  test('a log gets the same moment in one line', () => {
    const line = lineOf(momentWith({ completed: 5, canceled: 2, orphans: 1, lingering: 1, breaks: 4 }));
    expect(line).toBe(
      '01:15 | contexts: 5 completed, 2 canceled, 0 deadline exceeded | orphans: 0 now, 1 in all | ' +
        'lingering: 1 | broken chains: 4 | PostgreSQL: 3 active queries | inventory is down',
    );
  });
});

test.each([
  [Infinity, '>max'],
  [0, '0'],
  [0.000_000_4, '0.4µs'],
  [0.000_999_4, '999µs'],
  [0.000_999_9, '1.0ms'],
  [0.009_96, '10ms'],
  [0.999_9, '1.0s'],
  [75, '75s'],
])('a duration of %d s reads %s', (seconds, text) => {
  expect(durationOf(seconds)).toBe(text);
});
