import fc from 'fast-check';
import { formatTimeoutMs, parseConnectTimeout, parseGrpcTimeout, parseTimeoutMs } from '@curfew/propagation';

describe('parseTimeoutMs', () => {
  test.each(['', ' 5', '5 ', '+5', '-5', '5.0', '1e3', '0x10', '5ms', '12345678901', '٣', '5\n', '5, 6'])(
    'refuses %j',
    (text) => expect(parseTimeoutMs(text)).toBeUndefined(),
  );
  test.each([undefined, null, 5, ['5'], { toString: () => '5' }, Symbol('5')])(
    'refuses what is no string',
    (text) => expect(parseTimeoutMs(text)).toBeUndefined(),
  );
  test('reads one to ten digits, zero and leading zeros too', () => {
    expect(['0', '250', '0000000007', '9999999999'].map(parseTimeoutMs)).toEqual([0, 250, 7, 9_999_999_999]);
  });
  test("is Connect's form too", () => {
    expect([parseConnectTimeout('100'), parseConnectTimeout('100m')]).toEqual([100, undefined]);
  });
});

describe('parseGrpcTimeout', () => {
  test.each(['junk5Sjunk', '-1S', '5', 'S', '5s', '123456789S', '5S ', '5S\n', '1.5S', '', 5, undefined])(
    'refuses %j',
    (text) => expect(parseGrpcTimeout(text)).toBeUndefined(),
  );
  test('keeps large values large, where 32 bits wrap', () => {
    expect(parseGrpcTimeout('597H')).toBe(597 * 3_600_000);
    expect(parseGrpcTimeout('99999999H')).toBe(99_999_999 * 3_600_000);
    expect(parseGrpcTimeout('2592000S')).toBe(2_592_000_000);
  });
  test('knows the six units', () => {
    expect(['1H', '1M', '1S', '1m', '1000u', '1000000n'].map(parseGrpcTimeout)).toEqual([
      3_600_000, 60_000, 1000, 1, 1, 1,
    ]);
  });
});

describe('formatTimeoutMs', () => {
  test('rounds down, so that nobody is promised more than there is', () => {
    expect([250.999, 0.9, 0, -3, -Infinity].map(formatTimeoutMs)).toEqual(['250', '0', '0', '0', '0']);
  });
  test('has nothing to say of no budget', () => {
    expect([Infinity, NaN].map(formatTimeoutMs)).toEqual([undefined, undefined]);
  });
  test('never exceeds ten digits, nor what was given, and is read back', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, max: 1e12 }), (ms) => {
        const back = parseTimeoutMs(formatTimeoutMs(ms)) as number;
        expect(back).toBeLessThanOrEqual(Math.max(0, ms));
      }),
    );
  });
});

test('no parser throws or returns anything but a finite, non-negative number, whatever it is given', () => {
  fc.assert(
    fc.property(fc.anything(), fc.string({ unit: 'binary' }), (thing, text) => {
      for (const parse of [parseTimeoutMs, parseGrpcTimeout, parseConnectTimeout]) {
        for (const given of [thing, text]) {
          const ms = parse(given);
          expect(ms === undefined || (Number.isFinite(ms) && ms >= 0)).toBe(true);
        }
      }
    }),
  );
});
