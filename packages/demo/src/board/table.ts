import type { Figures, Spread } from './figures';
import type { Tally } from '../clients/tally';

/** All that is shown at one moment. */
export interface Moment {
  /** Seconds since the traffic began. */
  readonly elapsed: number;
  /** In the order of the columns; `undefined` where the service is down. */
  readonly services: readonly (readonly [name: string, figures: Figures | undefined])[];
  /** Queries that PostgreSQL is running; `undefined` where it does not answer. */
  readonly activeQueries: number | undefined;
  readonly tally: Tally;
}

const LABEL_WIDTH = 37;
const COLUMN_WIDTH = 14;

/** What a newcomer looks for first; any other pair appears once it has been counted. */
const EXPECTED = [
  'canceled · client_disconnect',
  'deadline_exceeded · deadline',
  'deadline_exceeded · remote_deadline',
];

/** The table, a line an element, at most 78 columns wide. */
export function tableOf(moment: Moment): string[] {
  const { services } = moment;
  const row = (label: string, cell: (figures: Figures) => string) =>
    line(
      `  ${label}`,
      services.map(([, figures]) => (figures === undefined ? 'down' : cell(figures))),
    );
  const pairs = new Set([
    ...EXPECTED,
    ...services.flatMap(([, figures]) => [...(figures?.cancellations.keys() ?? [])]),
  ]);
  return [
    line(
      clockOf(moment.elapsed),
      services.map(([name]) => name),
    ),
    'contexts',
    row('completed', (it) => countOf(it.completed)),
    row('canceled', (it) => countOf(it.canceled)),
    row('deadline exceeded', (it) => countOf(it.deadlineExceeded)),
    row('live', (it) => countOf(it.live)),
    'cancellations, where they started',
    ...[...pairs].map((pair) => row(pair, (it) => countOf(it.cancellations.get(pair) ?? 0))),
    'how fast they were obeyed, p50 / p99',
    row('propagation', (it) => spreadOf(it.propagation)),
    row('settling', (it) => spreadOf(it.settle)),
    'what went wrong',
    row('orphans, now / in all', (it) => `${countOf(it.orphansNow)} / ${countOf(it.orphans)}`),
    row('wasted by orphans', (it) => durationOf(it.wasted)),
    row('lingering', (it) => countOf(it.lingering)),
    row('broken chains', (it) => countOf(it.breaks)),
    '',
    `PostgreSQL  ${activityOf(moment.activeQueries)}`,
    `Clients     ${clientsOf(moment.tally)}`,
  ];
}

/** The same moment in one line, for a log. */
export function lineOf(moment: Moment): string {
  const known = moment.services.flatMap(([, figures]) => (figures === undefined ? [] : [figures]));
  const total = (pick: (figures: Figures) => number) => known.reduce((sum, it) => sum + pick(it), 0);
  const down = moment.services.flatMap(([name, figures]) =>
    figures === undefined ? [`${name} is down`] : [],
  );
  return [
    clockOf(moment.elapsed),
    `contexts: ${total((it) => it.completed)} completed, ${total((it) => it.canceled)} canceled, ${total((it) => it.deadlineExceeded)} deadline exceeded`,
    `orphans: ${total((it) => it.orphansNow)} now, ${total((it) => it.orphans)} in all`,
    `lingering: ${total((it) => it.lingering)}`,
    `broken chains: ${total((it) => it.breaks)}`,
    `PostgreSQL: ${activityOf(moment.activeQueries)}`,
    ...down,
  ].join(' | ');
}

function line(label: string, cells: readonly string[]): string {
  return `${label.padEnd(LABEL_WIDTH)}${cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join('')}`;
}

function countOf(count: number): string {
  return String(count);
}

function activityOf(active: number | undefined): string {
  if (active === undefined) return 'does not answer';
  return active === 1 ? '1 active query' : `${active} active queries`;
}

function clientsOf(tally: Tally): string {
  const { sent, answered, hungUp, timedOut, failed } = tally;
  return `${sent} sent: ${answered} answered, ${hungUp} hung up, ${timedOut} got 504, ${failed} failed`;
}

function spreadOf({ p50, p99 }: Spread): string {
  return p50 === undefined || p99 === undefined ? '–' : `${durationOf(p50)}/${durationOf(p99)}`;
}

/** Three significant digits at most, in the unit that suits; `Infinity` is more than the last bucket. */
export function durationOf(seconds: number): string {
  if (seconds === Infinity) return '>max';
  if (seconds === 0) return '0';
  if (seconds < 0.000_999_5) return `${shortened(seconds * 1e6)}µs`;
  if (seconds < 0.999_5) return `${shortened(seconds * 1e3)}ms`;
  return `${shortened(seconds)}s`;
}

function shortened(value: number): string {
  return value < 9.95 ? value.toFixed(1) : value.toFixed(0);
}

function clockOf(elapsed: number): string {
  const seconds = Math.floor(elapsed);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}
