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

interface Flag {
  readonly key: keyof Settings;
  readonly takes: string;
  readonly example: string;
  accepts(value: number): boolean;
}

const isPort = (value: number) => Number.isInteger(value) && value >= 0 && value <= 65_535;

const FLAGS: Readonly<Record<string, Flag>> = {
  '--seconds': {
    key: 'seconds',
    takes: 'a number from 1 to 86400',
    example: '30',
    accepts: (value) => value >= 1 && value <= 86_400,
  },
  '--rate': {
    key: 'rate',
    takes: 'a number from 1 to 500',
    example: '20',
    accepts: (value) => value >= 1 && value <= 500,
  },
  '--gateway-port': {
    key: 'gatewayPort',
    takes: 'a port from 0 (any) to 65535',
    example: '8080',
    accepts: isPort,
  },
  '--metrics-port': {
    key: 'metricsPort',
    takes: 'a port from 0 (any) to 65533',
    example: '9464',
    // The two after it are used as well.
    accepts: (value) => isPort(value + 2) && isPort(value),
  },
};

/** Reads the flags, as `--flag value` or `--flag=value`; throws a Fault that names the one that is wrong. */
export function readArguments(argv: readonly string[]): Settings | 'help' {
  const settings = {
    seconds: undefined,
    rate: DEFAULT_RATE,
    gatewayPort: undefined,
    metricsPort: undefined,
  } as { -readonly [K in keyof Settings]: Settings[K] };
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] as string;
    if (argument === '--help' || argument === '-h') return 'help';
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
    if (flag === undefined) throw new Fault(`unknown flag ${argument}: --help lists the flags`);
    const text = equals < 0 ? argv[++i] : argument.slice(equals + 1);
    settings[flag.key] = readNumber(name, flag, text);
  }
  return settings;
}

function readNumber(name: string, flag: Flag, text: string | undefined): number {
  const advice = `${name} takes ${flag.takes}, as in ${name} ${flag.example}`;
  if (text === undefined || text === '') throw new Fault(`${name} lacks its value: ${advice}`);
  // Number() alone would take '0x10', '1e3' and ' 7 '.
  const value = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!flag.accepts(value)) throw new Fault(`${name} cannot be '${text}': ${advice}`);
  return value;
}
