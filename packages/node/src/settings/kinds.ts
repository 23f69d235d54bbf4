import { MAX_DELAY } from '@curfew/context/spi';
import { allowedHosts } from '@curfew/propagation';

/** How the text of an environment variable is read: what is expected of it, and `undefined` where it is not that. */
export interface Kind<T> {
  /** Ends the sentence "expected …". */
  readonly expects: string;
  parse(text: string): T | undefined;
}

export const text: Kind<string> = { expects: 'a text', parse: (value) => value };

const YES: readonly string[] = ['true', '1', 'on', 'yes'];
const NO: readonly string[] = ['false', '0', 'off', 'no'];

/** Whoever reaches for the kill switch in a hurry writes any of these. */
export const flag: Kind<boolean> = {
  expects: 'true or false (or 1, on, yes, 0, off, no)',
  parse(value) {
    const lower = value.toLowerCase();
    return YES.includes(lower) ? true : NO.includes(lower) ? false : undefined;
  },
};

function number(expects: string, accepts: (value: number) => boolean): Kind<number> {
  return {
    expects,
    parse(value) {
      // Number() alone would read '', '0x10' and 'Infinity' as numbers.
      if (!/^-?\d+(\.\d+)?$/.test(value)) return undefined;
      const parsed = Number(value);
      return accepts(parsed) ? parsed : undefined;
    },
  };
}

export const milliseconds = number('milliseconds, 0 or more', (value) => value >= 0);

export const delay = number(
  `milliseconds, from 1 to ${MAX_DELAY}`,
  (value) => value >= 1 && value <= MAX_DELAY,
);

export const count = number(
  'a whole number, 1 or more',
  (value) => Number.isSafeInteger(value) && value >= 1,
);

/** A count that the telemetry package caps. */
export const cap = number(
  'a whole number from 1 to 10000',
  (value) => Number.isInteger(value) && value >= 1 && value <= 10_000,
);

export const port = number(
  'a port from 0 to 65535 (0: any free one)',
  (value) => Number.isInteger(value) && value >= 0 && value <= 65_535,
);

export const ratio = number('a number from 0 to 1', (value) => value >= 0 && value <= 1);

export function oneOf<const T extends string>(values: readonly T[], hint = ''): Kind<T> {
  return {
    expects: `${sentence(values, 'or')}${hint}`,
    parse: (value) => values.find((candidate) => candidate === value.toLowerCase()),
  };
}

/** A comma list of the given names; `none` stands alone and means the empty list. */
export function listOf<const T extends string>(values: readonly T[]): Kind<readonly T[]> {
  return {
    expects: `a comma list of ${sentence(values, 'and')}, or none`,
    parse(value) {
      const names = split(value).map((name) => name.toLowerCase());
      if (names.length === 1 && names[0] === 'none') return [];
      const known = values.filter((candidate) => names.includes(candidate));
      return names.length > 0 && known.length === new Set(names).size ? known : undefined;
    },
  };
}

export const httpUrl: Kind<URL> = {
  expects: 'an http:// or https:// address',
  parse(value) {
    if (!URL.canParse(value)) return undefined;
    const url = new URL(value);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
  },
};

/** `key=value,key=value`, percent-encoded. One bad pair discards the whole, as OpenTelemetry's specification asks. */
export const pairs: Kind<Readonly<Record<string, string>>> = {
  expects: 'key=value pairs, separated by commas, percent-encoded',
  parse(value) {
    const found: Record<string, string> = {};
    for (const pair of split(value)) {
      const equals = pair.indexOf('=');
      if (equals <= 0) return undefined;
      try {
        found[decodeURIComponent(pair.slice(0, equals).trim())] = decodeURIComponent(
          pair.slice(equals + 1).trim(),
        );
      } catch {
        return undefined;
      }
    }
    return found;
  },
};

/** An allow-list of hosts, as `allowedHosts` of `@curfew/propagation` takes it. */
export const hosts: Kind<readonly string[]> = {
  expects: 'a comma list of hosts (api.example.com, *.example.com, private, *), or none',
  parse(value) {
    const entries = split(value).map((entry) => entry.toLowerCase());
    if (entries.length === 1 && entries[0] === 'none') return [];
    try {
      allowedHosts(entries);
    } catch {
      return undefined;
    }
    return entries.length > 0 ? entries : undefined;
  },
};

function split(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function sentence(values: readonly string[], word: string): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} ${word} ${values.at(-1)}`;
}
