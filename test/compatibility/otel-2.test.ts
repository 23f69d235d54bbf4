import { join } from 'node:path';
import { claimMetrics } from './metric-claims';
import type { Installation } from './run-program';
import { claimSpans } from './span-claims';
import { claimTypes } from './type-claims';

// The 2.x line is what this repository has installed.
const installation: Installation = { line: '2.x', node: process.execPath, dir: join(__dirname, 'program') };

describe('on the 2.x line of OpenTelemetry, spans:', () => claimSpans(() => installation));
describe('on the 2.x line of OpenTelemetry, metrics:', () => claimMetrics(() => installation));
describe('on the 2.x line of OpenTelemetry, types:', () => claimTypes(() => __dirname));
