import type { ContextNode } from '@curfew/context/spi';

/**
 * The contexts that have not ended, a row of numbers each: never nodes, so that watching a context cannot keep it
 * alive. Twelve bytes a row, in typed arrays that grow by doubling. In no order: whoever looks for old ones looks at
 * all of them, which is rare and takes a nanosecond each, so that adding and removing one can be as cheap as it gets.
 * That is also why this is a record with functions beside it: variables of a closure cost ten nanoseconds a life more.
 * This file alone reads and writes its fields.
 *
 * A context carries its row as a number, in what the core keeps for telemetry (`node.slot`). It may outlive an
 * uninstall, so the numbers of the next telemetry begin after those of the one before: another's is told by being
 * smaller.
 */
export interface OpenContexts {
  /** Monotonic ms, by row. */
  startedAt: Float64Array;
  /** Of a row in use, the number of the name above two bits; of a free row, the next free one, as `asFree` says it. */
  tags: Int32Array;
  /** Rows ever used. */
  rows: number;
  /** The first free row, -1 if there is none. */
  firstFree: number;
  /** What a context carries is this much more than its row. */
  readonly firstNumber: number;
}

/** Keeps something of contexts beside their rows, such as where they were made. */
export interface RowKeeper {
  taken(row: number, node: ContextNode): void;
  freed(row: number): void;
}

const FIRST_CAPACITY = 1024;

const LONG_LIVED = 1;
const REPORTED = 2;
const NAME_SHIFT = 2;

/** Turns a row, or the -1 for none, into a tag below zero, and back. */
const asFree = (row: number) => -2 - row;

/** @param firstNumber What the context in the first row carries. */
export function createOpenContexts(firstNumber: number): OpenContexts {
  return {
    startedAt: new Float64Array(FIRST_CAPACITY),
    tags: new Int32Array(FIRST_CAPACITY),
    rows: 0,
    firstFree: -1,
    firstNumber,
  };
}

/** The first number that no context carries for this telemetry. */
export function nextNumber(open: OpenContexts): number {
  return open.firstNumber + open.rows;
}

/** What the context in a row is to carry. */
export function numberOf(open: OpenContexts, row: number): number {
  return open.firstNumber + row;
}

/** The row of a context; -1 where it has none, since it began before this telemetry did. */
export function rowOf(open: OpenContexts, node: Pick<ContextNode, 'slot'>): number {
  return node.slot < open.firstNumber ? -1 : node.slot - open.firstNumber;
}

/** Adds a context; returns its row. */
export function addRow(open: OpenContexts, startedAt: number, name: number, longLived: boolean): number {
  let row = open.firstFree;
  if (row === -1) {
    if (open.rows === open.tags.length) grow(open);
    row = open.rows++;
  } else {
    open.firstFree = asFree(open.tags[row] as number);
  }
  open.startedAt[row] = startedAt;
  open.tags[row] = (name << NAME_SHIFT) | (longLived ? LONG_LIVED : 0);
  return row;
}

/** Frees a row, for the next context. */
export function freeRow(open: OpenContexts, row: number): void {
  open.tags[row] = asFree(open.firstFree);
  open.firstFree = row;
}

function grow(open: OpenContexts): void {
  const { startedAt, tags } = open;
  open.startedAt = new Float64Array(2 * startedAt.length);
  open.startedAt.set(startedAt);
  open.tags = new Int32Array(2 * tags.length);
  open.tags.set(tags);
}

/** Visits the rows of all contexts. */
export function eachRow(open: OpenContexts, visit: (row: number) => void): void {
  for (let row = 0; row < open.rows; row++) if ((open.tags[row] as number) >= 0) visit(row);
}

/** Monotonic ms. */
export function startOf(open: OpenContexts, row: number): number {
  return open.startedAt[row] as number;
}

/** The number of a context's name. */
export function nameOf(open: OpenContexts, row: number): number {
  return (open.tags[row] as number) >> NAME_SHIFT;
}

/** Whether it was made to live long. */
export function isLongLived(open: OpenContexts, row: number): boolean {
  return ((open.tags[row] as number) & LONG_LIVED) !== 0;
}

/** Whether somebody has been told that it lingers. */
export function isReported(open: OpenContexts, row: number): boolean {
  return ((open.tags[row] as number) & REPORTED) !== 0;
}

export function setReported(open: OpenContexts, row: number): void {
  open.tags[row] = (open.tags[row] as number) | REPORTED;
}
