import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXCEPTIONS } from './exceptions';
import { ROWS } from './table';

const README = join(__dirname, '..', '..', 'packages', 'node', 'README.md');

/** Text as it is read: where its lines break says nothing. */
const words = (text: string) => text.replace(/\s+/g, ' ');

it.each(EXCEPTIONS)('the README says of $rows: $readme', ({ rows, readme }) => {
  expect(words(readFileSync(README, 'utf8'))).toContain(words(readme));
  const names = ROWS.map(({ name }) => name);
  for (const row of rows) expect(names).toContain(row);
});
