import type { Cell } from './compare';

/** Cells that differ on purpose, and the words of the README of `@curfew/node` that say so. */
export interface Exception {
  readonly rows: readonly string[];
  readonly reason: string;
  readonly readme: string;
  /** A race, which may go either way in every cell. */
  readonly sometimes?: true;
  /** Whether a cell of these rows differs in this way. */
  covers(cell: Cell): boolean;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    rows: ['pipeline', 'pipeTo'],
    reason:
      'without, the upstream answers at last, or goes on, into a response that has closed, and the error of that ends ' +
      'the process; with, the call has ended with its client, and there is nothing left to fail',
    readme:
      'A call that has ended with its client cannot fail any more as it would have, writing to a response that has closed.',
    covers: ({ ran, without }) =>
      ran.phase.hangUp !== undefined &&
      without.death !== undefined &&
      ran.outcome.death === undefined &&
      ran.outcome.failure === undefined,
  },
  {
    rows: ['Hono'],
    sometimes: true,
    reason:
      '@hono/node-server prints the error of a stream that fails while it sends it, whoever made it fail',
    readme:
      'A framework that prints the errors of streams that it sends prints that of a call that ended at a deadline, too.',
    covers: ({ ran, differences }) =>
      ran.phase.kind === 'stream' && differences.every((it) => it === 'stderr'),
  },
];

export const excused = (cell: Cell): boolean =>
  EXCEPTIONS.some(({ rows, covers }) => rows.includes(cell.row) && covers(cell));
