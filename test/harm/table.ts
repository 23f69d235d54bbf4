import type { Protocol } from './client';
import type { Phase } from './phases';

export type Style = 'bare' | 'catch';

/** Whether the handler catches what its work throws. */
export const STYLES: readonly Style[] = ['catch', 'bare'];

/** A program and what is asked of it. */
export interface Row {
  readonly name: string;
  /** A file of `programs/`. */
  readonly program: string;
  /** `http` unless given. */
  readonly protocol?: Protocol;
  /** `false` where nothing gives its requests a context, so that no deadline is carried out. */
  readonly context?: false;
  /** `false` for what answers last of all: a proxy. */
  readonly worksAfter?: false;
  /** Its upstream is a database. */
  readonly postgres?: true;
  /** All unless given. */
  readonly kinds?: readonly Phase['kind'][];
  readonly styles?: readonly Style[];
  readonly env?: Readonly<Record<string, string>>;
}

export const ROWS: readonly Row[] = [
  { name: 'node:http, fetch', program: 'fetch.cjs' },
  { name: 'Express 4', program: 'express-4.cjs' },
  { name: 'http-proxy', program: 'http-proxy.cjs', styles: ['bare'], worksAfter: false },
  { name: 'pipe', program: 'pipe.cjs' },
  { name: 'setHeader awaited', program: 'set-header-late.cjs', kinds: ['hold'] },
];
