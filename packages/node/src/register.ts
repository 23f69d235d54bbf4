import type * as ProcessEnd from './process-end';
import type * as Start from './start';

// For `node --import @curfew/node/register app.js`. Whatever goes wrong here, and be it a module that cannot be loaded,
// the application starts.
try {
  /* eslint-disable @typescript-eslint/no-require-imports -- an import that fails could not be caught */
  const { flushAtEnd } = require('./process-end') as typeof ProcessEnd;
  const { start } = require('./start') as typeof Start;
  /* eslint-enable @typescript-eslint/no-require-imports */
  flushAtEnd(start());
} catch (error) {
  if (!/^(none|error)$/i.test(process.env['OTEL_LOG_LEVEL'] ?? '')) {
    // eslint-disable-next-line no-console -- there may be no logger of OpenTelemetry's to say it with
    console.error('WARN curfew: telemetry could not be set up: %s', (error as Error).message);
  }
}
