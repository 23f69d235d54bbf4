import { warn } from './logging';
import { flushAtEnd } from './process-end';
import { start } from './start';

// For `node --import @curfew/node/register app.js`. Whatever goes wrong here, the application starts.
try {
  flushAtEnd(start());
} catch (error) {
  warn(`telemetry could not be set up: ${(error as Error).message}`);
}
