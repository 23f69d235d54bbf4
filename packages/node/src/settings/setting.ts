import type { Kind } from './kinds';

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
