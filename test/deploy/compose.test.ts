import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const ROOT = join(__dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly security_opt?: readonly string[];
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly deploy?: { readonly resources?: { readonly limits?: { readonly memory?: string } } };
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> };
const services = Object.entries(compose.services).map(([name, service]) => ({ name, service }));

/** A version: no moving tag, no bare major. */
const PINNED = /^[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.]+)?(@sha256:[0-9a-f]{64})?$/;

it('runs the services of the demo and what observes them', () => {
  expect(services.map((it) => it.name).sort()).toEqual(
    [
      'gateway',
      'grafana',
      'inventory',
      'orders',
      'otel-collector',
      'postgres',
      'prometheus',
      'tempo',
      'traffic',
    ].sort(),
  );
});

describe.each(services)('$name', ({ name, service }) => {
  it('comes from an image of one version', () => {
    expect(service.image).toMatch(PINNED);
  });

  it('listens on this machine only', () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('has a limit of memory, a root file system that it cannot write to, and gains no privileges', () => {
    expect(service.deploy?.resources?.limits?.memory).toMatch(/^\d+M$/);
    expect(service.read_only).toBe(true);
    expect(service.security_opt).toContain('no-new-privileges:true');
  });

  it('mounts files that exist, read-only', () => {
    for (const volume of service.volumes ?? []) {
      const [source = '', target, mode] = volume.split(':');
      expect(source).toMatch(/^\.\//);
      expect({ source, exists: existsSync(join(ROOT, source)) }).toEqual({ source, exists: true });
      expect(target).toMatch(/^\//);
      expect(mode).toBe('ro');
      // Docker makes a folder of a file that is missing: a name with an extension has to be a file.
      if (/\.\w+$/.test(source)) expect(statSync(join(ROOT, source)).isFile()).toBe(true);
    }
  });

  it('waits for the health of what can tell it', () => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const checked = compose.services[other]?.healthcheck?.test !== undefined;
      expect({ on: other, condition }).toEqual({
        on: other,
        condition: checked ? 'service_healthy' : 'service_started',
      });
    }
  });

  // The Collector's image has no shell and no way to ask itself; nobody waits for the traffic.
  const withoutCheck = ['otel-collector', 'traffic'];
  it(withoutCheck.includes(name) ? 'needs no health check' : 'has a health check', () => {
    expect(service.healthcheck?.test !== undefined).toBe(!withoutCheck.includes(name));
  });
});

it('gives each address to one service', () => {
  const ports = services.flatMap((it) => it.service.ports ?? []).map((port) => port.split(':')[1]);
  expect(new Set(ports).size).toBe(ports.length);
});

it('starts each service of the demo from a file that its package builds', () => {
  const demo = services.filter(({ service }) => service.build !== undefined);
  expect(demo.length).toBeGreaterThan(0);
  for (const { service } of demo) {
    const program = service.command?.at(-1) ?? '';
    expect(program).toMatch(/^packages\/demo\/dist\/\w+\.js$/);
    const source = program.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
    expect({ source, exists: existsSync(join(ROOT, source)) }).toEqual({ source, exists: true });
  }
});

describe('the image of the demo', () => {
  const lines = read('Dockerfile').split('\n');

  it('is built on one version of Node.js, the one of this repository', () => {
    const bases = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);
    for (const base of bases) expect(base).toBe(`node:${read('.nvmrc').trim()}-bookworm-slim`);
  });

  it('copies files that exist and are not ignored', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(' ').slice(1, -1));
    for (const path of copied) {
      expect(existsSync(join(ROOT, path))).toBe(true);
      expect(allowed).toContain(path);
    }
  });

  it('does not run as root', () => {
    expect(lines).toContain('USER node');
  });
});

describe('Prometheus', () => {
  const config = parse(read('grafana/prometheus/prometheus.yml')) as {
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    otlp: { promote_resource_attributes: string[] };
  };
  const metricsPort = compose.services.gateway?.environment?.OTEL_EXPORTER_PROMETHEUS_PORT;

  it('scrapes every service that Curfew is installed in, each as a job of its name', () => {
    const instrumented = services.filter(({ service }) => service.command?.includes('@curfew/node/register'));
    const jobs = config.scrape_configs.map((it) => [
      it.job_name,
      it.static_configs.flatMap((sc) => sc.targets),
    ]);
    expect(instrumented.length).toBeGreaterThan(0);
    for (const { name } of instrumented) expect(jobs).toContainEqual([name, [`${name}:${metricsPort}`]]);
  });

  it('scrapes nothing that does not run', () => {
    const hosts = config.scrape_configs.flatMap((it) => it.static_configs).flatMap((it) => it.targets);
    const known = [...services.map((it) => it.name), 'localhost'];
    expect(hosts.map((target) => target.split(':')[0]).filter((host) => !known.includes(host ?? ''))).toEqual(
      [],
    );
  });

  it('takes what the Collector pushes, and tells two Collectors apart', () => {
    expect(compose.services.prometheus?.command).toContain('--web.enable-otlp-receiver');
    expect(config.otlp.promote_resource_attributes).toContain('collector.instance.id');
  });
});
