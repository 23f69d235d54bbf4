import { Console } from 'node:console';
import { format } from 'node:util';
import { diag, DiagLogLevel, type DiagLogger } from '@opentelemetry/api';
import { isRegistered } from './otel-globals';

/**
 * Lets OpenTelemetry and Curfew speak on stderr, one line each, unless the application has a logger of its own
 * already. Without one, a taken port or an unreachable Collector would go unnoticed.
 */
export function startLogging(level: Lowercase<keyof typeof DiagLogLevel>): void {
  if (isRegistered('diag')) return;
  diag.setLogger(createLineLogger(), {
    logLevel: DiagLogLevel[level.toUpperCase() as keyof typeof DiagLogLevel],
  });
}

/**
 * The application puts its own logger in place of this one, and is welcome to. And the SDK reads some variables once
 * more, whatever it is given: their faults have been told.
 */
const NO_NEWS = /^(Current logger will be overwritten|OTEL_TRACES_SAMPLER|Unknown value .* for OTEL_)/;

function createLineLogger(): DiagLogger {
  let out: Console | undefined;
  const line =
    (level: string) =>
    (first: unknown, ...rest: unknown[]) => {
      const message = String(brief(first));
      if (NO_NEWS.test(message)) return;
      // A console that ignores errors, since a closed stderr is no reason for a service to die.
      out ??= new Console({ stdout: process.stderr, stderr: process.stderr, ignoreErrors: true });
      out.log('%s %s', level, format(message, ...rest.map(brief)).replace(/\s*\n\s*/g, ' '));
    };
  return {
    error: line('ERROR'),
    warn: line('WARN'),
    info: line('INFO'),
    debug: line('DEBUG'),
    verbose: line('VERBOSE'),
  };
}

/** An error by its message: a stack says nothing here that its reader could act on. */
function brief(value: unknown): unknown {
  const isError = Object.prototype.toString.call(value) === '[object Error]';
  return isError ? String((value as Error).message) : value;
}

/** Says one line, marked as Curfew's. */
export function warn(message: string): void {
  diag.warn(`curfew: ${message}`);
}
