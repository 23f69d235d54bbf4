import { wrongType } from '@curfew/context/spi';

/** Hosts that are inside by their name alone: what clusters and home networks use. */
const PRIVATE_SUFFIXES = ['.localhost', '.internal', '.local', '.svc', '.cluster.local', '.home.arpa'];

/** A name without a dot is resolved within the network: `payments`, as Docker and Kubernetes use. */
const SINGLE_LABEL = /^[a-z_][a-z0-9_-]*$/;

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** `::ffff:10.0.0.1`, as written and as URL rewrites it. */
const MAPPED_IPV4 = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/;

/** Answers are remembered for this many hosts; a service talks to few, and a crawler must not fill the memory. */
const REMEMBERED = 1_000;

/**
 * Makes the test of which hosts may be told a budget. A budget says little, but it is nobody's business outside:
 * by default it goes to the own network alone, which is loopback, private addresses (10/8, 172.16/12, 192.168/16,
 * fc00::/7, fe80::/10), names of one label, and names under `.localhost`, `.internal`, `.local`, `.svc`,
 * `.cluster.local` and `.home.arpa`.
 *
 * @param allow Any of: a host (`api.example.com`), every host under a suffix (`*.example.com`, which is not
 *   `example.com` itself), `private` for the default set, `*` for all. `['private']` unless given; `[]` is none.
 * @returns A function of a host name or address, with or without the brackets of IPv6 and in any case. It never
 *   throws; a host that is no string is not allowed.
 * @throws TypeError if it is no array, or an entry is no string, or has a `*` anywhere else, a port or a scheme.
 * @example
 * ```ts
 * import { allowedHosts } from '@curfew/propagation';
 * const allowed = allowedHosts(['private', '*.example.com']);
 * allowed('payments.svc.cluster.local'); // => true
 * allowed('api.example.com'); // => true
 * allowed('example.com.evil.net'); // => false
 * ```
 */
export function allowedHosts(allow: readonly string[] = ['private']): (host: unknown) => boolean {
  // A string is one too, of hosts of one letter each.
  if (!Array.isArray(allow)) throw wrongType('allow', 'an array of hosts', allow);
  const exact = new Set<string>();
  const suffixes: string[] = [];
  let inside = false;
  let all = false;
  for (const entry of allow as readonly string[]) {
    if (entry === '*') all = true;
    else if (entry === 'private') inside = true;
    else if (!isPattern(entry))
      throw new TypeError(`a host must be a name, an address or '*.suffix', got ${String(entry)}`);
    else if (entry.startsWith('*.')) suffixes.push(normal(entry.slice(1)));
    else exact.add(normal(entry));
  }
  const decide = (host: string) =>
    exact.has(host) || suffixes.some((suffix) => endsWith(host, suffix)) || (inside && isPrivate(host));
  const answers = new Map<string, boolean>();
  return (host) => {
    if (typeof host !== 'string') return false;
    if (all) return true;
    let answer = answers.get(host);
    if (answer === undefined) {
      answer = decide(normal(host));
      if (answers.size >= REMEMBERED) answers.clear();
      answers.set(host, answer);
    }
    return answer;
  };
}

function isPattern(entry: unknown): entry is string {
  if (typeof entry !== 'string') return false;
  const name = entry.startsWith('*.') ? entry.slice(2) : entry;
  return /^[^\s*/:[\]]+$/.test(name) || /^\[?[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*\]?$/i.test(name);
}

/** Lower case, no brackets, no dot of the root. */
function normal(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return (bare.endsWith('.') ? bare.slice(0, -1) : bare).toLowerCase();
}

function endsWith(host: string, suffix: string): boolean {
  return host.length > suffix.length && host.endsWith(suffix);
}

function isPrivate(host: string): boolean {
  if (SINGLE_LABEL.test(host)) return true;
  if (host.includes(':')) return isPrivateV6(host);
  const v4 = IPV4.exec(host);
  if (v4 !== null) return isPrivateV4(Number(v4[1]), Number(v4[2]));
  return PRIVATE_SUFFIXES.some((suffix) => endsWith(host, suffix));
}

function isPrivateV4(first: number, second: number): boolean {
  return (
    first === 127 ||
    first === 10 ||
    (first === 172 && second >= 16 && second <= 31) ||
    (first === 192 && second === 168)
  );
}

function isPrivateV6(host: string): boolean {
  if (host === '::1') return true;
  const mapped = MAPPED_IPV4.exec(host);
  if (mapped !== null) {
    const [, dotted, high] = mapped;
    if (dotted !== undefined) return isPrivate(dotted);
    const bits = parseInt(high as string, 16);
    return isPrivateV4(bits >> 8, bits & 255);
  }
  return /^f[cd][0-9a-f]{2}:/.test(host) || /^fe[89ab][0-9a-f]:/.test(host);
}
