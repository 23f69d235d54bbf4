import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deviations, notApplicable } from './deviations';

const RANGES = { G: 117, N: 6, S: 24, E: 16, J: 50 } as const;

const ids = Object.entries(RANGES).flatMap(([letter, last]) =>
  Array.from({ length: last }, (_, index) => `${letter}${index + 1}`),
);

/** The ids of the rows that the test files hold: first argument of `row`, or first entry of a line of a table. */
function tested(): string[] {
  const files = readdirSync(__dirname).filter((name) => name.endsWith('.test.ts') && name !== 'rows.test.ts');
  return files.flatMap((name) => {
    const text = readFileSync(join(__dirname, name), 'utf8');
    return Array.from(text.matchAll(/(?:\brow\(|^ *\[)\s*'([A-Z]\d+)'/gm), ([, id]) => id as string);
  });
}

test('every row is present exactly once: as a test, or not applicable', () => {
  const present = [...tested(), ...Object.keys(notApplicable)].sort();
  expect(present).toEqual([...ids].sort());
});

test('every deviation is a row that is tested, and both lists are short', () => {
  expect(Object.keys(deviations).filter((id) => !tested().includes(id))).toEqual([]);
  expect(Object.keys(deviations).length).toBeLessThanOrEqual(10);
  expect(Object.keys(notApplicable).length).toBeLessThanOrEqual(3);
});
