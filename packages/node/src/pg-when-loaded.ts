import Module from 'node:module';
import { patchMethod } from '@curfew/context/spi';
import type * as CurfewPg from '@curfew/pg';
import { diag } from '@opentelemetry/api';

/** The file that `require('pg')` and, through its wrapper, `import 'pg'` both load. */
const MAIN_FILE = /[\\/]pg[\\/]lib[\\/]index\.js$/;

type Load = (this: unknown, request: string, ...rest: unknown[]) => unknown;

/**
 * Instruments every copy of pg as the application loads it, without a loader: an ES module's import of CommonJS
 * goes through the same function as `require`. What was loaded before is found in the cache. Whatever is found in the
 * place of pg, the application's own `require` yields it and never throws because of us.
 */
export function instrumentPgWhenLoaded(): void {
  const loader = Module as unknown as {
    _load: Load;
    _cache: Record<string, { exports: unknown } | undefined>;
  };
  const seen = new WeakSet<object>();
  const cover = (exports: unknown) => {
    if (typeof exports !== 'object' && typeof exports !== 'function') return;
    if (exports === null || seen.has(exports) || !('Client' in exports)) return;
    seen.add(exports);
    // Loaded only now, since a service without a database needs none of it.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const { instrumentPg } = require('@curfew/pg') as typeof CurfewPg;
    instrumentPg(exports as CurfewPg.PgModule);
  };
  let said = false;
  const onLoaded = (exports: unknown) => {
    try {
      cover(exports);
    } catch (error) {
      // A proxy whose traps throw, an install without @curfew/pg.
      if (!said) diag.warn(`curfew: queries of pg are not cancelled, ${String(error)}`);
      said = true;
    }
  };
  patchMethod(
    loader,
    '_load',
    (load) =>
      function (request, ...rest) {
        const exports = load.call(this, request, ...rest);
        if (request === 'pg' || MAIN_FILE.test(request)) onLoaded(exports);
        return exports;
      },
  );
  for (const [file, loaded] of Object.entries(loader._cache)) {
    if (MAIN_FILE.test(file)) onLoaded(loaded?.exports);
  }
}
