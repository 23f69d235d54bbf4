import { normal, shown, type Cell } from './compare';
import { PHASES } from './phases';
import type { Outcome, Way } from './run-row';

/** The runs of a phase, in the order of the marks. */
const MARKS: readonly (readonly [listening: string, style: string])[] = [
  ['alone', 'catch'],
  ['alone', 'bare'],
  ['listener', 'catch'],
  ['listener', 'bare'],
];

const WAYS: readonly Way[] = ['with', 'limited', 'observing'];

/**
 * A line a row and a block a phase, of a mark for each of: catching, not catching, and both again with a listener.
 * `.` is equal, and so is `†`, which dies without Curfew too; `e` is excused; else what differs first.
 */
export function table(rows: ReadonlyMap<string, readonly Cell[]>, excused: (cell: Cell) => boolean): string {
  const columns = WAYS.flatMap((way) =>
    PHASES.filter(({ ownLimit }) => way === 'observing' || (way === 'limited') === (ownLimit ?? false)).map(
      (phase) => ({ way, phase }),
    ),
  );
  const width = Math.max(...[...rows.keys()].map((name) => name.length)) + 2;
  const legend = columns.map(({ way, phase }, index) => `${letter(index)} ${phase.name}${SUFFIX[way]}`);
  const head = ' '.repeat(width) + columns.map((_, index) => letter(index).padEnd(5)).join('');
  const lines = [...rows].map(
    ([name, cells]) =>
      name.padEnd(width) +
      columns
        .map(({ way, phase }) =>
          MARKS.map(([listening, style]) => {
            const cell = cells.find(
              ({ ran }) =>
                ran.way === way && ran.phase === phase && ran.listening === listening && ran.style === style,
            );
            return cell === undefined ? ' ' : mark(cell, excused(cell));
          }).join(''),
        )
        .join(' '),
  );
  return [...legend, '', head, ...lines].join('\n');
}

const SUFFIX: Readonly<Record<Way, string>> = {
  without: '',
  with: '',
  limited: '',
  observing: ', CURFEW_ENFORCE=0',
};

const letter = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index);

function mark({ differences: [first], without }: Cell, excused: boolean): string {
  if (first === undefined) return without.death === undefined ? '.' : '†';
  if (excused) return 'e';
  return { exit: 'X', stuck: 'S', stderr: 'E', answer: 'A' }[first];
}

/** What the cells that differ in the same way say of themselves, once. */
export function told(cells: readonly Cell[]): string {
  const groups = new Map<string, string[]>();
  for (const cell of cells) {
    const how = [
      `  ${cell.differences.join(', ')}`,
      `    with:    ${ended(cell.ran.outcome)}`,
      `    without: ${ended(cell.without)}`,
    ].join('\n');
    groups.set(how, [...(groups.get(how) ?? []), where(cell)]);
  }
  return [...groups].map(([how, places]) => `${places.join('\n')}\n${how}`).join('\n\n');
}

function where({ row, ran: { way, listening, style, phase } }: Cell): string {
  const mode = [
    style === 'bare' ? 'no catch' : 'catch',
    ...(listening === 'listener' ? ['a listener that exits'] : []),
    ...(way === 'observing' ? ['CURFEW_ENFORCE=0'] : []),
  ];
  return `${row}: ${phase.name} (${mode.join(', ')})`;
}

const SHOWN_LINES = 8;

function ended({ death, failure, answer, stderr }: Outcome): string {
  const how =
    death === undefined ? (failure ?? 'alive') : `ended with ${death.signal ?? `code ${death.code}`}`;
  const lines = normal(stderr)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return [
    `${how}${answer === undefined ? '' : `, answered ${JSON.stringify(shown(answer))}`}`,
    ...lines.slice(0, SHOWN_LINES),
    ...(lines.length > SHOWN_LINES ? ['…'] : []),
  ].join('\n             ');
}
