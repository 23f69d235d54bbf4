import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Line, Transport } from './expected';
import type { ReceivedSpan } from './received';

const README = readFileSync(join(__dirname, '..', '..', 'packages', 'telemetry', 'README.md'), 'utf8');

/** What comes under a heading, up to the next one. */
function section(heading: string): string {
  const [, found] = README.split(new RegExp(`^#+ ${heading}$`, 'm'));
  if (found === undefined) throw new Error(`the README has no section '${heading}'`);
  return found.split(/^#/m)[0] as string;
}

/** The code that a service on the 3.x line is told to run. */
export function setUpOf3x(): string {
  const [, code] = /```js\n([\s\S]*?)```/.exec(README.split('### A service on the 3.x line')[1] ?? '') ?? [];
  if (code === undefined) throw new Error('the README has no set-up for the 3.x line');
  return code;
}

/** How the rows of the README are played. */
const PLAYED: Readonly<Record<string, readonly [scenario: string, transport: Transport]>> = {
  'The client hangs up before the head': ['a cancel with a string, before the head', 'http.request'],
  'The client hangs up after the head': ['a cancel with a string, after the head', 'http.request'],
  "The server's deadline passes before the head": ["the server's deadline, before the head", 'fetch'],
  "The server's deadline passes after the head": ["the server's deadline, after the head", 'fetch'],
  '`http.request` is canceled': ['a cancel with an Error, before the head', 'http.request'],
  '`http.request` exceeds its deadline': ['a deadline, before the head', 'http.request'],
  '`fetch` is canceled': ['a cancel with an Error, before the head', 'fetch'],
  '`fetch` is canceled by a signal, with an Error': ['a signal that the call has too', 'fetch'],
  '`fetch` exceeds its deadline': ['a deadline, before the head', 'fetch'],
};

interface StockRow {
  readonly scenario: string;
  readonly transport: Transport;
  readonly kind: ReceivedSpan['kind'];
  readonly stock: string;
  readonly corrected: string;
}

/** The table of what stock instrumentations get wrong, for one line. */
export function stockTable(line: Line): StockRow[] {
  const rows = section('What stock instrumentations get wrong')
    .split('\n')
    .filter((text) => /^\| (The|`)/.test(text))
    .map((text) => text.split('|').map((cell) => cell.trim()))
    .map(([, what = '', kind, older, newer, corrected = '']): StockRow => {
      const [scenario, transport] = PLAYED[what] ?? [];
      if (scenario === undefined || transport === undefined) throw new Error(`nobody plays '${what}'`);
      const stock = (line === '2.x' ? older : newer) ?? '';
      return { scenario, transport, kind: kind as ReceivedSpan['kind'], stock, corrected };
    });
  if (rows.length !== Object.keys(PLAYED).length) throw new Error(`the README shows ${rows.length} rows`);
  return rows;
}
