import { parseExposition } from '../src/board/exposition';
import { bucketsOf, quantile } from '../src/board/quantile';

describe('a quantile of a histogram', () => {
  test('nothing was observed: there is none', () => {
    expect(quantile([], 0.5)).toBeUndefined();
    expect(
      quantile(
        [
          [1, 0],
          [Infinity, 0],
        ],
        0.5,
      ),
    ).toBeUndefined();
  });

  test('beyond the last bound it is only known to be more', () => {
    const buckets = [
      [1, 1],
      [Infinity, 10],
    ] as const;
    expect(quantile(buckets, 0.99)).toBe(Infinity);
    expect(quantile(buckets, 0.1)).toBe(1);
  });

  test('it is linear within its bucket, and empty buckets are passed over', () => {
    const buckets = [
      [1, 0],
      [2, 10],
      [4, 10],
      [8, 20],
      [Infinity, 20],
    ] as const;
    expect(quantile(buckets, 0.25)).toBe(1.5);
    expect(quantile(buckets, 0.5)).toBe(2);
    expect(quantile(buckets, 0.75)).toBe(6);
  });

  test('series are added up by bounds as numbers, in whatever notation and order', () => {
    const text = [
      'm_bucket{reason="a",le="+Inf"} 3',
      'm_bucket{reason="a",le="1e-05"} 1',
      'm_bucket{reason="b",le="0.00001"} 2',
      'm_bucket{reason="b",le="+Inf"} 2',
      'm_sum{reason="a"} 9',
      '',
    ].join('\n');
    expect(bucketsOf(parseExposition(text), 'm')).toEqual([
      [1e-5, 3],
      [Infinity, 5],
    ]);
  });
});
