import { parseArgs } from 'node:util';
import { Fault } from './fault';

/** What the command line asks for. */
export interface Settings {
  /** `undefined` runs until it is stopped. */
  readonly seconds: number | undefined;
  /** Requests a second. */
  readonly rate: number;
  /** `undefined` takes the default port, or a free one where that is taken. */
  readonly gatewayPort: number | undefined;
  /** The first of three ports, one for each service's metrics. */
  readonly metricsPort: number | undefined;
}

export const DEFAULT_RATE = 20;

export const HELP = `Curfew's demo: three services, PostgreSQL and steady traffic; watch what is cancelled, and why.

usage: npm start -- [flags]

  --seconds N        stop after N seconds and print the summary (default: run until Ctrl-C)
  --rate N           requests a second (default: ${DEFAULT_RATE})
  --gateway-port N   where the gateway listens (default: 8080, or a free port if that is taken)
  --metrics-port N   the first of three ports for /metrics (default: 9464, or free ones if they are taken)
  --help             show this

OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 in the environment sends the traces to a Collector as well.
`;

/** What a flag takes, both ends included. */
interface Range {
  readonly what: 'a number' | 'a port (0 is any)';
  readonly from: number;
  readonly to: number;
  readonly example: number;
}

const RANGES = {
  seconds: { what: 'a number', from: 1, to: 86_400, example: 30 },
  rate: { what: 'a number', from: 1, to: 500, example: DEFAULT_RATE },
  'gateway-port': { what: 'a port (0 is any)', from: 0, to: 65_535, example: 8_080 },
  // The two after it are used as well.
  'metrics-port': { what: 'a port (0 is any)', from: 0, to: 65_533, example: 9_464 },
} as const satisfies Readonly<Record<string, Range>>;

const OPTIONS = {
  seconds: { type: 'string' },
  rate: { type: 'string' },
  'gateway-port': { type: 'string' },
  'metrics-port': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Reads the flags, as `--flag value` or `--flag=value`; throws a Fault that names the one that is wrong. */
export function readArguments(argv: readonly string[]): Settings | 'help' {
  // Its own complaints do not say what was expected, so it is not to make any.
  const { values, tokens } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    strict: false,
    tokens: true,
  });
  if (values.help) return 'help';
  for (const token of tokens) {
    if (token.kind === 'option' && Object.hasOwn(OPTIONS, token.name)) continue;
    throw new Fault(`unknown flag ${argv[token.index]}: --help lists the flags`);
  }
  const read = (name: keyof typeof RANGES) => readNumber(name, values[name]);
  return {
    seconds: read('seconds'),
    rate: read('rate') ?? DEFAULT_RATE,
    gatewayPort: read('gateway-port'),
    metricsPort: read('metrics-port'),
  };
}

function readNumber(name: keyof typeof RANGES, text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { what, from, to, example } = RANGES[name];
  const advice = `--${name} takes ${what} from ${from} to ${to}, as in --${name} ${example}`;
  if (typeof text === 'boolean' || text === '') throw new Fault(`--${name} lacks its value: ${advice}`);
  // Number() alone would take '0x10', '1e3' and ' 7 '.
  const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  const fits = value >= from && value <= to && (what === 'a number' || Number.isInteger(value));
  if (!fits) throw new Fault(`--${name} cannot be '${text}': ${advice}`);
  return value;
}
