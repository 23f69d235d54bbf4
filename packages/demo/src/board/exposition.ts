/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/;
const VALUE = /^ (NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)( -?\d+)?$/i;

/**
 * Reads Prometheus's text format, and refuses what a Prometheus would refuse, a series that comes twice included:
 * what the table shows is what any scraper would have got.
 */
export function parseExposition(text: string): Sample[] {
  if (text !== '' && !text.endsWith('\n'))
    throw new SyntaxError('the exposition does not end with a newline');
  const samples: Sample[] = [];
  const seen = new Set<string>();
  text.split('\n').forEach((line, index) => {
    if (line === '' || line.startsWith('#')) return;
    const sample = parseSample(line);
    if (sample === undefined) throw new SyntaxError(`line ${index + 1} is no sample: ${line}`);
    const series = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(series)) throw new SyntaxError(`line ${index + 1} comes twice: ${line}`);
    seen.add(series);
    samples.push(sample);
  });
  return samples;
}

function parseSample(line: string): Sample | undefined {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) return undefined;
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const label = LABEL.exec(rest);
      const key = label?.[1];
      if (label === null || key === undefined || Object.hasOwn(labels, key)) return undefined;
      labels[key] = unescape(label[2] ?? '');
      rest = rest.slice(label[0].length);
      // Whatever follows a label is either the end of the list or a comma; a comma may end the list too.
      if (rest.startsWith(',')) rest = rest.slice(1);
      else if (!rest.startsWith('}')) return undefined;
    }
    rest = rest.slice(1);
  }
  const value = VALUE.exec(rest)?.[1];
  return value === undefined ? undefined : { name, labels, value: numberOf(value) };
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

function numberOf(text: string): number {
  if (/inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}

/** The sum of a family's series that carry these labels; 0 where there are none. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = Object.entries(labels);
  return samples
    .filter((sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, sample) => sum + sample.value, 0);
}
