/** One kind of request that a client may send. */
export interface Scenario {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  path(id: number): string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds after which the client has had enough. */
  readonly hangUpAfter?: number;
}

/** What clients do. Each shows one thing in the table. */
export const SCENARIOS = {
  finish: { name: 'finish', method: 'GET', path: (id) => `/orders/${id}?sleep=0.02` },
  hangUp: { name: 'hang up', method: 'GET', path: (id) => `/orders/${id}?sleep=3`, hangUpAfter: 100 },
  clientDeadline: {
    name: "client's deadline",
    method: 'GET',
    path: (id) => `/orders/${id}?sleep=3`,
    headers: { 'x-request-timeout-ms': '200' },
  },
  gatewayDeadline: {
    name: "gateway's deadline",
    method: 'GET',
    path: (id) => `/quotes/${id}?sleep=3&ms=150`,
  },
  legacy: { name: 'legacy', method: 'GET', path: (id) => `/legacy/${id}?ms=2500` },
  audited: { name: 'audited', method: 'GET', path: (id) => `/audited/${id}?sleep=0.01` },
  report: { name: 'report', method: 'POST', path: () => '/reports' },
} as const satisfies Record<string, Scenario>;

const { finish, hangUp, clientDeadline, gatewayDeadline, legacy, audited } = SCENARIOS;

/** The steady mix, sent round and round. Reports come apart from it, by the clock. */
export const MIX: readonly Scenario[] = [
  finish,
  hangUp,
  finish,
  clientDeadline,
  finish,
  finish,
  audited,
  hangUp,
  finish,
  gatewayDeadline,
  finish,
  finish,
  hangUp,
  finish,
  legacy,
  finish,
  clientDeadline,
  finish,
  hangUp,
  finish,
];
