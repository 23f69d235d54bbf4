import { createRequire } from 'node:module';
import { join } from 'node:path';
import { installGuard, patchMethod, type Patch } from '@curfew/context/spi';
import { diag } from '@opentelemetry/api';
import {
  clientConnect,
  clientQuery,
  notice,
  poolConnect,
  poolQuery,
  poolRelease,
  readyForQuery,
  type Method,
} from './covering/methods';
import { prototypesOf, type PgModule, type Prototypes } from './covering/module-shape';
import { checkPgOptions } from './options';
import type { PgOptions } from './types';

type Methods = Record<string, Method>;

/** On a method that covers one of pg's: another copy of this package covers no pg twice. */
const WRAPPED = Symbol.for('@curfew/pg.wrapped.v1');

/**
 * Covers `client.query`, `pool.query` and `pool.connect` of pg under the active context, for every client and pool,
 * those that exist already included: with promises, callbacks, and objects with a `submit` method (cursors and
 * streams). The service's code does not change; what runs under no context, or `withoutCancel`, is left alone, and
 * keeps to it however long it waits in a queue.
 *
 * A query that ends with its context fails with an error of its own, whose cause is the context's. Where nobody handles
 * it, the process lives on; where it would reach nobody, or under the kill switch, the query runs on.
 *
 * @param pg The module, where the service uses another copy than is found from here. If there is no pg, nothing is
 *   done. What is not pg in JavaScript is left alone: the native client, which has no cancel that is safe, a stub.
 * @returns Puts everything back. Does nothing where pg was covered before.
 * @throws TypeError or RangeError if an option is of the wrong kind.
 * @example
 * ```ts
 * const undo = instrumentPg();
 * await scope({ timeout: 300 }, () => pool.query('SELECT pg_sleep(10)')); // rejects, and the server is idle again
 * undo();
 * ```
 */
export function instrumentPg(pg: PgModule | undefined = findPg(), options: PgOptions = {}): () => void {
  checkPgOptions(options);
  if (pg === undefined) return () => undefined;
  const prototypes = prototypesOf(pg);
  if (prototypes === undefined) {
    warnOnce('it is not the client in JavaScript');
    return () => undefined;
  }
  const undos = [installGuard()];
  const undo = () => {
    for (const each of undos) each();
  };
  try {
    for (const [prototype, name, make] of coverings(prototypes, options))
      undos.push(cover(prototype, name, make));
  } catch (error) {
    // A frozen prototype, a proxy that refuses: half of it covered would be worse than nothing.
    undo();
    warnOnce(String(error));
  }
  return undo;
}

type Make = (original: Method, patch: Patch) => Method;

type Covering = [prototype: object, name: string, make: Make];

function coverings({ client, pool }: Prototypes, options: PgOptions): Covering[] {
  return [
    [client, 'query', (original, patch) => clientQuery(original, patch, options)],
    [client, 'connect', clientConnect],
    [client, '_handleNotice', notice],
    [pool, 'query', (original, patch) => poolQuery(original, patch, options)],
    [pool, 'connect', poolConnect],
    [pool, '_release', poolRelease],
    // A pg that has this keeps the state of the transaction itself.
    ...('getTransactionStatus' in client
      ? []
      : [[client, '_handleReadyForQuery', readyForQuery] as Covering]),
  ];
}

let warned = false;

/** Says it once: a stub is loaded by every test of a service. */
function warnOnce(why: string): void {
  if (warned) return;
  warned = true;
  diag.warn(`curfew: queries of pg are not cancelled, ${why}`);
}

/** The copy of pg that the service most likely uses: the one beside this package, or in the working folder. */
function findPg(): PgModule | undefined {
  for (const place of [__filename, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(place)('pg') as PgModule;
    } catch (error) {
      // One that cannot even be loaded is nobody's here, and whoever loads it is told by Node.
      if ((error as NodeJS.ErrnoException | undefined)?.code !== 'MODULE_NOT_FOUND') warnOnce(String(error));
    }
  }
  return undefined;
}

/** Patches a method where that is defined, and once; one that this pg does not have is none of ours. */
function cover(prototype: object, name: string, make: Make): () => void {
  let owner: object | null = prototype;
  while (owner !== null && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null;
  const methods = owner as Methods | null;
  const there = methods?.[name];
  if (methods === null || there === undefined || WRAPPED in there) return () => undefined;
  return patchMethod(methods, name, (original, patch) =>
    Object.defineProperty(make(original, patch), WRAPPED, { value: true }),
  );
}
