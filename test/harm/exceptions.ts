import type { Cell } from './compare';

/** A cell that differs on purpose. */
export interface Exception {
  readonly rows: readonly string[];
  readonly phases: RegExp;
  readonly reason: string;
  /** The words of the README that say so. */
  readonly readme: string;
}

export const EXCEPTIONS: readonly Exception[] = [];

export const excused = ({ row, ran }: Cell): boolean =>
  EXCEPTIONS.some(({ rows, phases }) => rows.includes(row) && phases.test(ran.phase.name));
