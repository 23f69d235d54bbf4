import { startPostgres } from '@curfew/throwaway-postgres';
import { Fault, lineFor } from './fault';
import { figuresOf, type Figures } from './board/figures';
import { parseExposition, type Sample } from './board/exposition';
import { choosePorts, HOST, type PortWish } from './ports';
import { startProcess, type Ears, type Program, type Running } from './processes';

/** The three services in the order in which a request passes through them. */
export const SERVICES = ['gateway', 'orders', 'inventory'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What may be asked of `startSystem`. */
export interface SystemOptions {
  /** Asked for by flags. */
  readonly gatewayPort?: number | undefined;
  readonly metricsPort?: number | undefined;
  /** `true` takes any free ports instead of the documented ones, as tests must. */
  readonly anyPort?: boolean;
  /** For the services, over what this process has. */
  readonly env?: NodeJS.ProcessEnv;
  /** What people should know: a port that differs, a line that a service wrote. */
  readonly tell: (line: string) => void;
  /** A service ended without having been asked to. */
  readonly lost: (name: string, exit: string) => void;
  /** Gives the start up, and stops what had started. */
  readonly abandon?: AbortSignal;
}

/** A service that runs. */
export interface Service {
  readonly name: ServiceName;
  readonly pid: number;
  readonly url: string;
  readonly metricsUrl: string;
}

/** The services and their database. */
export interface System {
  readonly services: Readonly<Record<ServiceName, Service>>;
  readonly connectionString: string;
  /** Starts one more process of the demo, which `stop` ends first. */
  start(program: Program, ears: Ears): Promise<Running>;
  /** Ends everything, services before the database. Resolves once all of it is gone; never rejects. */
  stop(): Promise<void>;
}

const FIRST_PORT = 8080;
const FIRST_METRICS_PORT = 9464;

/** Starts PostgreSQL, then the services, each a process of its own; all of it or, with a Fault, none of it. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const ports = await choosePorts(wishesOf(options), options.tell);
  const ends: (() => Promise<void>)[] = [];
  const stop = async () => {
    // What was started last depends on what was started first; the services among themselves do not mind.
    const last = ends.splice(0).reverse();
    const database = last.pop();
    await Promise.all(last.map((end) => end()));
    await database?.();
  };
  const ears: Ears = { line: (name, text) => options.tell(`${name}: ${text}`), lost: options.lost };
  const start = async (program: Program, heard: Ears) => {
    const running = await startProcess(program, heard, options.abandon);
    ends.push(() => running.stop());
    return running;
  };
  try {
    const database = await startPostgres({ stopTimeout: 2_000 });
    ends.push(() => database.stop());
    const { connectionString } = database;
    const launch = async (index: number, name: ServiceName): Promise<Service> => {
      const metricsPort = ports[index + SERVICES.length] as number;
      const env = {
        ...commonEnvironment(options.env),
        PORT: String(ports[index]),
        UPSTREAM_URL: `http://${HOST}:${ports[index + 1]}`,
        DATABASE_URL: connectionString,
        OTEL_SERVICE_NAME: name,
        OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
      };
      const program = { name, file: `${name}.js`, env, observed: true };
      const { pid, address } = await start(program, ears);
      const metricsUrl = `http://${HOST}:${metricsPort}/metrics`;
      await checkMetrics(name, metricsUrl);
      return { name, pid, url: address, metricsUrl };
    };
    const started = await allOf(SERVICES.map((name, index) => launch(index, name)));
    const services = Object.fromEntries(started.map((it) => [it.name, it])) as Record<ServiceName, Service>;
    return { services, connectionString, start, stop };
  } catch (error) {
    await stop();
    throw error instanceof Fault ? error : new Fault(lineFor(error), { cause: error });
  }
}

/** As Promise.all, but only once every one has settled: what still starts while one fails must be stopped too. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function wishesOf({ gatewayPort, metricsPort, anyPort }: SystemOptions): PortWish[] {
  const given = (port: number | undefined, flag: string) => (port === undefined ? undefined : { port, flag });
  const preferred = (port: number) => (anyPort === true ? 0 : port);
  const next = (index: number) =>
    metricsPort === undefined ? undefined : metricsPort === 0 ? 0 : metricsPort + index;
  return [
    ...SERVICES.map((name, index) => ({
      what: name,
      given: index === 0 ? given(gatewayPort, '--gateway-port') : undefined,
      preferred: preferred(FIRST_PORT + index),
    })),
    ...SERVICES.map((name, index) => ({
      what: `/metrics of ${name}`,
      given: given(next(index), '--metrics-port'),
      preferred: preferred(FIRST_METRICS_PORT + index),
    })),
  ];
}

function commonEnvironment(over: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    // The demo is there to show a lingering context, so not after the minute that suits production.
    CURFEW_LINGER_AFTER: '5000',
    ...process.env,
    ...over,
    HOST,
    OTEL_EXPORTER_PROMETHEUS_HOST: HOST,
  };
}

/** Without its /metrics there is nothing to show of a service, whatever the reason. */
async function checkMetrics(name: string, url: string): Promise<void> {
  try {
    await scrape(url);
  } catch (error) {
    const doubt = 'is the port taken, or OTEL_SDK_DISABLED or OTEL_METRICS_EXPORTER set?';
    throw new Fault(`${name}: no metrics at ${url} (${lineFor(error)}): ${doubt}`, { cause: error });
  }
}

/** All samples that a service exposes now. Rejects if it does not answer within two seconds, or not correctly. */
export async function scrape(url: string): Promise<Sample[]> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return parseExposition(await answer.text());
}

/** The figures of a service; `undefined` while it is down. */
export async function figuresAt(url: string): Promise<Figures | undefined> {
  try {
    return figuresOf(await scrape(url));
  } catch {
    return undefined;
  }
}
