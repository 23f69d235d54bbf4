import type { Answer } from './client';
import { hasDeadline } from './phases';
import type { Outcome, Ran } from './run-row';

/** A cell of the table: the same phase with and without Curfew. */
export interface Cell {
  readonly row: string;
  readonly ran: Ran;
  readonly without: Outcome;
  /** What differs, in a word each; empty where nothing does. */
  readonly differences: readonly Difference[];
}

export type Difference = 'exit' | 'stuck' | 'stderr' | 'answer';

export function cellsOf(row: string, all: readonly Ran[]): Cell[] {
  const known = new Set(all.filter(({ way }) => way === 'without').flatMap(warningsOf));
  return all
    .filter(({ way }) => way !== 'without')
    .map((ran) => {
      const without = all.find(
        (it) =>
          it.way === 'without' &&
          it.listening === ran.listening &&
          it.style === ran.style &&
          it.phase === ran.phase,
      );
      if (without === undefined) throw new Error(`${row} did not run without Curfew: ${ran.phase.name}`);
      return { row, ran, without: without.outcome, differences: differences(ran, without.outcome, known) };
    });
}

function differences(ran: Ran, without: Outcome, known: ReadonlySet<string>): Difference[] {
  const { outcome } = ran;
  const found: Difference[] = [];
  if (outcome.death?.code !== without.death?.code || outcome.death?.signal !== without.death?.signal) {
    found.push('exit');
  }
  if (outcome.failure !== without.failure) found.push('stuck');
  if (withoutWarnings(outcome.stderr, known) !== withoutWarnings(without.stderr, known)) found.push('stderr');
  if (!answersAgree(ran, without)) found.push('answer');
  return found;
}

/** At a deadline: our 504, an answer that was cut, or what a handler says that catches, if it is quicker. */
function answersAgree({ way, style, phase, outcome: { answer } }: Ran, without: Outcome): boolean {
  // Who died or hung is compared by that.
  if (answer === undefined || without.answer === undefined) return true;
  if (same(answer, without.answer)) return true;
  if (way === 'observing' || !hasDeadline(phase)) return false;
  return answer.status === 504 || !answer.complete || (style === 'catch' && answer.status === 502);
}

/** Streams end at whatever chunk they have reached, and dates and ports are nobody's doing. */
function same(one: Answer, other: Answer): boolean {
  return JSON.stringify(shown(one)) === JSON.stringify(shown(other));
}

export function shown({ status, headers, body, complete }: Answer): object {
  const kept = Object.entries(headers).filter(([name]) => name !== 'date');
  return { status, headers: Object.fromEntries(kept), body: body.replace(/x+/g, 'x'), complete };
}

/**
 * Node.js warns once a process of what is deprecated, so in whatever phase comes first. What the row warns of without
 * Curfew is no difference.
 */
function withoutWarnings(stderr: string, known: ReadonlySet<string>): string {
  return normal(stderr)
    .split('\n')
    .filter((line) => !known.has(line))
    .join('\n');
}

const warningsOf = ({ outcome }: Ran): string[] =>
  normal(outcome.stderr)
    .split('\n')
    .filter((line) => WARNING.test(line));

const WARNING = /^\(node\) .*Warning: |^\(Use `node --trace-/;

/** What is left of stderr without excerpts, stacks and what differs from run to run, and without Curfew's own lines. */
export function normal(stderr: string): string {
  return stderr
    .replace(/^\S+:\d+\n.*\n\s*\^+\n/gm, '')
    .split('\n')
    .filter((line) => !/^\s+at |^\s+\.{3} \d+ lines matching|^[A-Z]+ curfew: /.test(line))
    .join('\n')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replace(/\(node:\d+\)/g, '(node)')
    .replace(/^(\s+\w+: )\d+/gm, '$1N')
    .replace(/\bk\d+\b/g, 'KEY');
}
