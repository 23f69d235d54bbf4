import { EXPECTED, expectedOf, type Transport } from './expected';
import type { ReceivedSpan } from './received';
import { runProgram, type Finished, type Installation } from './run-program';
import { stockTable } from './readme';

const TRANSPORTS: readonly Transport[] = ['http.request', 'fetch'];

/** One run: its spans, by the scenario that they belong to. */
interface Run {
  readonly finished: Finished;
  readonly spans: readonly ReceivedSpan[];
  of(scenario: string): readonly ReceivedSpan[];
}

async function play(installation: Installation, args: readonly string[]): Promise<Run> {
  const finished = await runProgram(installation, 'spans.cjs', args);
  const { spans } = finished.received;
  const roots = new Map(
    spans.filter((span) => span.parentSpanId === '').map((span) => [span.name, span.traceId]),
  );
  return {
    finished,
    spans,
    of(scenario) {
      const trace = roots.get(scenario);
      if (trace === undefined) throw new Error(`nobody played '${scenario}'`);
      return spans.filter((span) => span.traceId === trace && span.parentSpanId !== '');
    },
  };
}

/** A span as the table has it. */
function shown({ status, attributes }: ReceivedSpan): string {
  const keys = ['error.type', 'http.response.status_code', 'curfew.cancel.reason', 'curfew.cancel.origin'];
  return [status, ...keys.map((key) => attributes[key] ?? '–')].join(' ');
}

function one(spans: readonly ReceivedSpan[], name: string, kind: ReceivedSpan['kind']): string | undefined {
  const found = spans.filter((span) => span.name === name && span.kind === kind);
  if (found.length > 1) throw new Error(`${found.length} ${kind} spans called ${name}`);
  return found[0] && shown(found[0]);
}

const isOurs = ({ attributes }: ReceivedSpan) => attributes['curfew.own'] !== undefined;
const isMarked = ({ attributes }: ReceivedSpan) => attributes['curfew.cancel.reason'] !== undefined;
const eventsOf = ({ events }: ReceivedSpan, prefix: string) =>
  events.filter(({ name }) => name.startsWith(prefix));

/** What is claimed of the spans that an exporter gets, for one line of the SDK. */
export function claimSpans(find: () => Installation): void {
  /** By who patched `http.request` first: ours is then the inner patch, or the outer one. */
  const runs: Run[] = [];
  let bare: Run;
  beforeAll(async () => {
    const installation = find();
    for (const first of ['curfew', 'stock']) runs.push(await play(installation, [first]));
    bare = await play(installation, ['curfew', 'bare']);
  });

  test.each(Object.keys(EXPECTED))('%s: each span says what the conventions ask', (name) => {
    const { line } = find();
    const row = EXPECTED[name];
    for (const run of runs) {
      for (const transport of TRANSPORTS) {
        const spans = run.of(`${transport}: ${name}`);
        expect({
          transport,
          client: one(spans, 'GET', 'CLIENT'),
          server: one(spans, 'GET', 'SERVER'),
          query: one(spans, 'query', 'CLIENT'),
          parse: one(spans, 'parse', 'INTERNAL'),
        }).toEqual({
          transport,
          client: expectedOf(row?.client, line, transport),
          server: expectedOf(row?.server, line, transport),
          query: expectedOf(row?.query, line, transport),
          parse: expectedOf(row?.parse, line, transport),
        });
      }
    }
  });

  test('a marked span has one event with the name of its context, unless it started after the end', () => {
    const names: Readonly<Record<string, string>> = {
      'CLIENT GET': 'caller',
      'SERVER GET': 'http.server',
      'CLIENT query': 'step',
      'INTERNAL parse': 'step',
    };
    const late = /: a (call after|budget that was spent)/;
    for (const run of runs) {
      for (const name of Object.keys(EXPECTED).flatMap((each) =>
        TRANSPORTS.map((how) => `${how}: ${each}`),
      )) {
        for (const span of run.of(name).filter((each) => isMarked(each) && !isOurs(each))) {
          const event = {
            name: `curfew.context.${span.attributes['curfew.cancel.reason']}`,
            attributes: { 'curfew.context.name': names[`${span.kind} ${span.name}`] },
          };
          expect([name, span.name, eventsOf(span, 'curfew.')]).toEqual([
            name,
            span.name,
            late.test(name) ? [] : [event],
          ]);
        }
      }
    }
  });

  test('no exception stands on a span of an intentional cancel, and a deadline is told in one way', () => {
    for (const span of runs.flatMap(({ spans }) => spans).filter(isMarked)) {
      if (span.attributes['curfew.cancel.reason'] === 'canceled') {
        expect([span.name, eventsOf(span, 'exception')]).toEqual([span.name, []]);
      }
      if (span.attributes['error.type'] === 'timeout') {
        expect([span.status, span.message]).toEqual(['ERROR', 'context deadline exceeded']);
      }
    }
  });

  test('nothing is written to an ended span, and OpenTelemetry complains of nothing', () => {
    for (const { finished, spans } of [...runs, bare]) {
      expect(finished.output.warnings).toEqual([]);
      const done = spans.filter(({ name }) => name === 'done');
      expect(done.length).toBeGreaterThan(30);
      expect(done.filter(({ events }) => events.length > 0)).toEqual([]);
    }
  });

  test("Curfew's own spans carry curfew.own, and no other span does", () => {
    for (const { spans } of runs) {
      const own = spans.filter(isOurs);
      expect(own.every(({ attributes }) => attributes['curfew.own'] === true)).toBe(true);
      expect([...new Set(own.map(({ name }) => name))].sort()).toEqual(['curfew.cancel', 'curfew.orphan']);
      expect(spans.filter(({ name }) => name.startsWith('curfew.'))).toEqual(own);
      expect(own.filter(({ name }) => name === 'curfew.orphan')).toHaveLength(1);
    }
  });

  test("the instrumentations' own metrics are the same with Curfew as without: a client that hung up is a 200", () => {
    const [first] = runs as [Run];
    const durations = ({ finished }: Run) =>
      finished.received.metrics
        .flat()
        .filter(({ attributes }) => attributes['http.request.method'] === 'GET')
        .map(({ metric, attributes, count }) => ({ metric, ...attributes, 'server.port': undefined, count }));
    expect(durations(first)).toEqual(durations(bare));
    const isOk = ({ kind, attributes }: ReceivedSpan) =>
      kind === 'SERVER' && attributes['http.response.status_code'] === 200;
    const asked = { metric: 'http.server.request.duration', 'http.response.status_code': 200 };
    const count = bare.spans.filter(isOk).length;
    expect(count).toBeGreaterThan(first.spans.filter(isOk).length);
    expect(durations(first)).toContainEqual(expect.objectContaining({ ...asked, count }));
    expect(JSON.stringify(durations(first))).not.toContain('499');
  });

  test('the README says what the stock instrumentations of this line export', () => {
    const { line } = find();
    const [first] = runs as [Run];
    for (const { scenario, transport, kind, stock, corrected } of stockTable(line)) {
      const name = `${transport}: ${scenario}`;
      const said = (run: Run) => one(run.of(name), 'GET', kind)?.split(' ').slice(0, 3).join(', ');
      expect([name, kind, said(bare), said(first)]).toEqual([name, kind, stock, corrected]);
    }
  });
}
