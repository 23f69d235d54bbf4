import { connect } from 'node:net';
import type { Program } from './program';

/** A program, and what is done to it besides requests. */
export interface Scenario {
  readonly name: string;
  readonly program: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What Curfew is told, where it is switched on. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes the program end, unless it ends by itself. */
  act?(program: Program, withCurfew: boolean): Promise<void>;
}

async function terminate(program: Program): Promise<void> {
  await program.ready;
  await program.pulse();
  program.kill('SIGTERM');
}

/** Sends what no client would send, and waits until the connection is closed or the answer has begun. */
function send(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('error', () => {}).on('close', () => resolve());
    socket.once('data', () => socket.destroy());
  });
}

/** Asks for metrics by a path of its own, lives through it, and is told to end. */
const scraped = (path: string): Scenario => ({
  name: `a scrape of ${path}`,
  program: 'fetch.cjs',
  settings: { OTEL_LOG_LEVEL: 'info' },
  async act(program, withCurfew) {
    await program.ready;
    if (withCurfew) {
      const [, port] = await program.says(/metrics on http:\/\/127\.0\.0\.1:(\d+)/);
      await send(Number(port), `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    }
    await terminate(program);
  },
});

const NOTHING_LISTENS = 'http://127.0.0.1:9';

export const SCENARIOS: readonly Scenario[] = [
  ...['/metrics', '//', 'http://[', '//metrics/metrics', '*', '/%'].map(scraped),
  ...['empty', 'nothing', 'frozen', 'throwing', 'function', 'text'].map((STUB): Scenario => ({
    name: `a pg that is a stub: ${STUB}`,
    program: 'stubbed-pg.cjs',
    env: { STUB },
  })),
  ...['itself', 'code', 'exit', 'throw', 'reject', 'abort'].map((END): Scenario => ({
    name: `a script that ends by: ${END}`,
    program: 'ends.cjs',
    env: { END },
  })),
  ...['strict', 'warn', 'warn-with-error-code', 'none'].map((mode): Scenario => ({
    name: `a rejection of its own under --unhandled-rejections=${mode}`,
    program: 'ends.cjs',
    env: { END: 'reject', NODE_OPTIONS: `--unhandled-rejections=${mode}` },
  })),
  ...[{}, { CURFEW_ENFORCE: '0' }].flatMap((settings): Scenario[] => {
    const how = 'CURFEW_ENFORCE' in settings ? ' under CURFEW_ENFORCE=0' : '';
    return [
      { name: `SIGTERM${how}`, program: 'fetch.cjs', settings, act: terminate },
      { name: `SIGTERM, listened to${how}`, program: 'sigterm.cjs', settings, act: terminate },
      { name: `SIGTERM by notifyContext${how}`, program: 'notify-context.cjs', settings, act: terminate },
    ];
  }),
  {
    name: 'settings that mean nothing, and a Collector that is not there',
    program: 'sigterm.cjs',
    settings: {
      CURFEW_REQUEST_TIMEOUT: 'NaN',
      CURFEW_ORPHAN_GRACE: 'soon',
      CURFEW_OUTBOUND_HOSTS: '*.*.*',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_EXPORTER_OTLP_ENDPOINT: NOTHING_LISTENS,
      OTEL_EXPORTER_PROMETHEUS_PORT: '1',
      OTEL_EXPORTER_PROMETHEUS_HOST: 'no.such.host.invalid',
    },
    act: terminate,
  },
];
