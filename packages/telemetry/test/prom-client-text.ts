// Reads what prom-client writes as strictly as the two formats are written down, and not as leniently as Prometheus
// takes it: any line out of order throws.

export interface Exemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Epoch seconds. */
  readonly timestamp: number;
}

export interface PromText {
  /** The type of each family, by its name. */
  readonly types: ReadonlyMap<string, string>;
  /** Every sample by its name and its labels as written, sorted: as `scrape` has them from the other exporter. */
  readonly samples: ReadonlyMap<string, number>;
  readonly exemplars: ReadonlyMap<string, Exemplar>;
}

type Format = 'plain' | 'openmetrics';

const LABELS = String.raw`(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"(?:,(?!})|(?=})))*`;
const NUMBER = String.raw`[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)`;
const SAMPLE = new RegExp(
  String.raw`^([a-zA-Z_:][\w:]*)(?:{(${LABELS})})? (${NUMBER})(?: # {(${LABELS})} (${NUMBER}) (${NUMBER}))?$`,
);

/** What a family's samples may be called, beside its own name. */
const SUFFIXES: Record<Format, Record<string, readonly string[]>> = {
  plain: { counter: [''], gauge: [''], histogram: ['_bucket', '_sum', '_count'] },
  openmetrics: { counter: ['_total'], gauge: [''], histogram: ['_bucket', '_sum', '_count'] },
};

export function parsePromText(text: string, format: Format): PromText {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  const exemplars = new Map<string, Exemplar>();
  let described: string | undefined;
  let family = '';
  const end = format === 'openmetrics' ? '\n# EOF\n' : '\n';
  if (!text.endsWith(end)) throw new Error(`no ${JSON.stringify(end)} at the end`);
  for (const line of text.slice(0, -end.length).split('\n')) {
    if (line === '' && format === 'plain') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      described = name;
      continue;
    }
    if (keyword === 'TYPE') {
      if (types.has(name)) throw new Error(`a second family ${name}`);
      if (described !== name) throw new Error(`no help for ${name}`);
      if (SUFFIXES[format][rest] === undefined) throw new Error(`no such type: ${line}`);
      types.set(name, rest);
      family = name;
      continue;
    }
    const match = SAMPLE.exec(line);
    if (match === null) throw new Error(`not a sample: ${line}`);
    const [, sample = '', labels = '', value = '', exemplarLabels, exemplarValue = '', timestamp = ''] =
      match;
    const type = types.get(family) ?? '';
    if (!SUFFIXES[format][type]?.some((suffix) => sample === family + suffix)) {
      throw new Error(`${sample} is not of the family ${family}`);
    }
    const pairs = pairsOf(labels);
    if (sample.endsWith('_bucket') !== 'le' in Object.fromEntries(pairs)) throw new Error(`le in ${line}`);
    const key = `${sample}{${pairs
      .map(([label, quoted]) => `${label}=${quoted}`)
      .sort()
      .join(',')}}`;
    if (samples.has(key)) throw new Error(`twice: ${key}`);
    samples.set(key, numberOf(value));
    if (exemplarLabels === undefined) continue;
    if (format === 'plain' || !/_(total|bucket)$/.test(sample)) throw new Error(`an exemplar: ${line}`);
    const named = Object.fromEntries(
      pairsOf(exemplarLabels).map(([label, quoted]) => [label, unquoted(quoted)]),
    );
    if (Object.entries(named).flat().join('').length > 128) throw new Error(`too long: ${line}`);
    exemplars.set(key, {
      labels: named,
      value: numberOf(exemplarValue),
      timestamp: numberOf(timestamp),
    });
  }
  return { types, samples, exemplars };
}

/** The values of a label among the samples of a name, as they were before they were quoted. */
export function labelValues({ samples }: PromText, name: string, label: string): string[] {
  return [...samples.keys()]
    .filter((key) => key.startsWith(`${name}{`))
    .flatMap((key) => pairsOf(key.slice(name.length + 1, -1)))
    .filter(([found]) => found === label)
    .map(([, quoted]) => unquoted(quoted));
}

function pairsOf(labels: string): [string, string][] {
  const pairs = [...labels.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)].map(
    ([, label = '', quoted = '']): [string, string] => [label, quoted],
  );
  if (new Set(pairs.map(([label]) => label)).size !== pairs.length)
    throw new Error(`a label twice: ${labels}`);
  return pairs;
}

function unquoted(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

function numberOf(text: string): number {
  return /Inf$/.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}
