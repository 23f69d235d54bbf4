/** What `require('pg')` yields, told by its shape. */
export interface PgModule {
  readonly Client: { readonly prototype: object };
  readonly Pool: { readonly prototype: object };
}

/** Where pg keeps the methods that are covered. */
export interface Prototypes {
  readonly client: object;
  readonly pool: object;
}

/**
 * The prototypes of pg's client in JavaScript and of its pool; `undefined` for everything else that a service may have
 * in the place of pg: the native client, which has no cancel that is safe, a stub, a mock, a proxy. Never throws,
 * whatever their getters do.
 */
export function prototypesOf(pg: unknown): Prototypes | undefined {
  try {
    const { Client, Pool } = pg as Partial<PgModule>;
    const client: unknown = Client?.prototype;
    const pool: unknown = Pool?.prototype;
    const covered =
      hasMethods(client, ['query', 'connect', '_handleReadyForQuery']) &&
      hasMethods(pool, ['query', 'connect']);
    return covered ? { client: client as object, pool: pool as object } : undefined;
  } catch {
    return undefined;
  }
}

function hasMethods(prototype: unknown, names: readonly string[]): boolean {
  if (typeof prototype !== 'object' || prototype === null) return false;
  return names.every((name) => isPlainFunction((prototype as Record<string, unknown>)[name]));
}

/** A mock that is wrapped is no longer found by the test that asks how often it was called. */
function isPlainFunction(value: unknown): boolean {
  return typeof value === 'function' && !('_isMockFunction' in value) && !('isSinonProxy' in value);
}
