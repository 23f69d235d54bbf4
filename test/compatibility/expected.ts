export type Line = '2.x' | '3.x';
export type Transport = 'http.request' | 'fetch';

/** A cell holds for both lines and both ways to call, or says for which. */
type Cell = string | Readonly<Record<string, string>>;

interface Row {
  /** The CLIENT span of whoever calls. `fetch` makes none for a call that is refused. */
  readonly client: Cell;
  /** The SERVER span, and two spans under a context derived from the request's: a database's CLIENT span, an INTERNAL one. */
  readonly server?: Cell;
  readonly query?: Cell;
  readonly parse?: Cell;
}

const CANCELED = { query: 'UNSET – – canceled parent', parse: 'UNSET – – canceled parent' };
const EXCEEDED = {
  query: 'ERROR timeout – deadline_exceeded parent',
  parse: 'UNSET – – deadline_exceeded parent',
};

/**
 * What an exporter gets, after the table "Span status, case by case" of the conventions: status, `error.type`,
 * `http.response.status_code`, `curfew.cancel.reason`, `curfew.cancel.origin`. Without the last two nothing of it is
 * Curfew's: what stands there is what the instrumentation says.
 */
export const EXPECTED: Readonly<Record<string, Row>> = {
  // The client goes away.
  'a release, before the head': {
    client: 'UNSET – – – –',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },
  'a release, after the head': {
    client: 'UNSET – 200 – –',
    server: 'UNSET – 200 canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel of tracked work, before the head': {
    client: 'UNSET – – canceled caller',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel of tracked work, after the head': {
    client: 'UNSET – 200 canceled caller',
    server: 'UNSET – 200 canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel with an Error, before the head': {
    client: 'UNSET – – canceled caller',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel with an Error, after the head': {
    client: 'UNSET – 200 canceled caller',
    server: 'UNSET – 200 canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel with a string, before the head': {
    client: 'UNSET – – canceled caller',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel with a string, after the head': {
    client: 'UNSET – 200 canceled caller',
    server: 'UNSET – 200 canceled client_disconnect',
    ...CANCELED,
  },
  'a deadline, before the head': {
    client: 'ERROR timeout – deadline_exceeded deadline',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },
  'a deadline, after the head': {
    client: 'ERROR timeout 200 deadline_exceeded deadline',
    server: 'UNSET – 200 canceled client_disconnect',
    ...CANCELED,
  },
  'a cancel in the same turn': { client: 'UNSET – – canceled caller' },
  'a signal that the call has too': {
    client: 'UNSET – – canceled signal',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },
  'a signal that is one of those of the context': {
    client: 'UNSET – – canceled signal',
    server: 'UNSET – – canceled client_disconnect',
    ...CANCELED,
  },

  // A deadline passes on the server.
  "the server's deadline, before the head": {
    client: {
      '2.x http.request': 'ERROR – 504 – –',
      '3.x http.request': 'ERROR 504 504 – –',
      fetch: 'ERROR 504 504 – –',
    },
    server: 'ERROR timeout 504 deadline_exceeded deadline',
    ...EXCEEDED,
  },
  "the server's deadline, after the head": {
    client: { 'http.request': 'UNSET – 200 – –', fetch: 'ERROR UND_ERR_SOCKET 200 – –' },
    server: 'ERROR timeout 200 deadline_exceeded deadline',
    ...EXCEEDED,
  },
  'a deadline that the server was told, before the head': {
    client: 'ERROR timeout – deadline_exceeded deadline',
    server: 'ERROR timeout 504 deadline_exceeded deadline',
    ...EXCEEDED,
  },
  'a deadline that the server was told, after the head': {
    client: 'ERROR timeout 200 deadline_exceeded deadline',
    server: 'ERROR timeout 200 deadline_exceeded deadline',
    ...EXCEEDED,
  },

  // It passes, and there is nobody left to answer: no head was sent.
  'a hang-up just before a deadline that the server was told': {
    client: 'UNSET – – canceled caller',
    server: 'ERROR timeout – deadline_exceeded remote_deadline',
    ...EXCEEDED,
  },
  "a hang-up after the server's deadline, which a blocked loop hid": {
    client: 'UNSET – – canceled caller',
    server: 'ERROR timeout – deadline_exceeded deadline',
    ...EXCEEDED,
  },

  // The server had failed, and said so, before its client went away.
  'a hang-up after the head of a 500': {
    client: { 'http.request': 'UNSET – 500 canceled caller', fetch: 'ERROR 500 500 canceled caller' },
    server: {
      '2.x': 'ERROR – 500 canceled client_disconnect',
      '3.x': 'ERROR 500 500 canceled client_disconnect',
    },
    ...CANCELED,
  },

  // The context had ended before the span started.
  'a budget that was spent on arrival': {
    client: {
      '2.x http.request': 'ERROR – 504 – –',
      '3.x http.request': 'ERROR 504 504 – –',
      fetch: 'ERROR 504 504 – –',
    },
    server: 'ERROR timeout 504 deadline_exceeded deadline',
    // Nobody stopped it: it failed by itself.
    query: 'ERROR 57014 – deadline_exceeded parent',
    parse: 'UNSET – – deadline_exceeded parent',
  },
  'a call after a cancel': { client: { 'http.request': 'UNSET – – canceled caller' } },
  'a call after a deadline': { client: { 'http.request': 'ERROR timeout – deadline_exceeded deadline' } },
};

/** What stands in a cell for this line and way to call; `undefined` where there is no span. */
export function expectedOf(cell: Cell | undefined, line: Line, transport: Transport): string | undefined {
  if (typeof cell !== 'object') return cell;
  return cell[`${line} ${transport}`] ?? cell[transport] ?? cell[line];
}
