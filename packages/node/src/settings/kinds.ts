import { checkNumber, MAX_DELAY, wrongType, type NumberRange } from '@curfew/context/spi';
import { allowedHosts } from '@curfew/propagation';

/** An environment variable: how it is read, what is used without it, and its words. */
export interface Setting<T, K extends Kind<T> = Kind<T>> {
  readonly env: string;
  readonly kind: K;
  /** Used where the variable is unset, empty or bad; `undefined` where something else decides then. */
  readonly fallback: T | undefined;
  /** The default as the table shows it, where `fallback` does not say it. */
  readonly shown?: string;
  readonly help: string;
  /** `true` keeps the value out of warnings. */
  readonly secret?: boolean;
}

export function setting<T, K extends Kind<T>>(
  env: string,
  kind: K & Kind<T>,
  fallback: T,
  help: string,
  shown?: string,
): Setting<T, K> & { readonly fallback: T } {
  return { env, kind, fallback, help, ...(shown === undefined ? {} : { shown }) };
}

export function optional<T, K extends Kind<T>>(
  env: string,
  kind: K & Kind<T>,
  help: string,
  shown: string,
): Setting<T, K> {
  return { env, kind, fallback: undefined, shown, help };
}

type Valued<S> = S extends { readonly kind: Kind<infer T>; readonly fallback: infer F }
  ? T | (F extends undefined ? undefined : never)
  : never;

/** The values of a list of settings. */
export type Values<L> = { readonly [K in keyof L]: Valued<L[K]> };

/** How the text of an environment variable is read: what is expected of it, and `undefined` where it is not that. */
export interface Kind<T> {
  /** Ends the sentence "expected …". */
  readonly expects: string;
  parse(text: string): T | undefined;
}

/** What may also be given in code. */
export interface OptionKind<T> extends Kind<T> {
  /**
   * Lets pass what is of this kind.
   *
   * @throws TypeError or RangeError naming the option that is wrong.
   */
  check(value: unknown, name: string): void;
}

export const text: OptionKind<string> = {
  expects: 'a text',
  parse: (value) => value,
  check(value, name) {
    if (typeof value !== 'string') throw wrongType(name, 'a string', value);
    if (value === '') throw new RangeError(`${name} must not be empty`);
  },
};

const YES: readonly string[] = ['true', '1', 'on', 'yes'];
const NO: readonly string[] = ['false', '0', 'off', 'no'];

/** Whoever reaches for the kill switch in a hurry writes any of these. */
export const flag: OptionKind<boolean> = {
  expects: 'true or false (or 1, on, yes, 0, off, no)',
  parse(value) {
    const lower = value.toLowerCase();
    return YES.includes(lower) ? true : NO.includes(lower) ? false : undefined;
  },
  check(value, name) {
    if (typeof value !== 'boolean') throw wrongType(name, 'true or false', value);
  },
};

/** A number within limits, which are declared as telemetry declares its own. */
export function numberFrom(range: NumberRange): OptionKind<number> {
  const { least, most, whole = false, unit } = range;
  const what = `a ${whole ? 'whole ' : ''}number${unit === undefined ? '' : ` of ${unit}`}`;
  return {
    expects: most === Infinity ? `${what}, ${least} or more` : `${what} from ${least} to ${most}`,
    parse(value) {
      // Number() alone would read '', '0x10' and 'Infinity' as numbers.
      if (!/^-?\d+(\.\d+)?$/.test(value)) return undefined;
      return passed(Number(value), (parsed) => checkNumber(parsed, 'it', range));
    },
    check: (value, name) => checkNumber(value, name, range),
  };
}

export const milliseconds = numberFrom({ least: 0, most: Infinity, unit: 'milliseconds' });

/** What a timer can wait. */
export const delay = numberFrom({ least: 1, most: MAX_DELAY, unit: 'milliseconds' });

export const count = numberFrom({ least: 1, most: Infinity, whole: true });

export const port = numberFrom({ least: 0, most: 65_535, whole: true });

export const ratio = numberFrom({ least: 0, most: 1 });

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
export const hosts: OptionKind<readonly string[]> = {
  expects: 'a comma list of hosts (api.example.com, *.example.com, private, *), or none',
  parse(value) {
    const entries = split(value).map((entry) => entry.toLowerCase());
    if (entries.length === 1 && entries[0] === 'none') return [];
    return entries.length > 0 ? passed(entries, allowedHosts) : undefined;
  },
  check(value, name) {
    if (!Array.isArray(value)) throw wrongType(name, 'an array of hosts', value);
    try {
      allowedHosts(value as string[]);
    } catch (error) {
      throw new TypeError(`${name}: ${(error as Error).message}`);
    }
  },
};

/** The value, where the check lets it pass. */
function passed<T>(value: T, check: (value: T) => unknown): T | undefined {
  try {
    check(value);
    return value;
  } catch {
    return undefined;
  }
}

function split(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function sentence(values: readonly string[], word: string): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} ${word} ${values.at(-1)}`;
}
