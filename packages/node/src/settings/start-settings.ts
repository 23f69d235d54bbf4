import { delay, flag, hosts, milliseconds, text, optional, setting } from './kinds';

/** What `start` takes as options of the same names, but for those of telemetry. Times are milliseconds. */
export const START_SETTINGS = {
  /** The service in every trace and metric: `OTEL_SERVICE_NAME`. */
  serviceName: optional(
    'OTEL_SERVICE_NAME',
    text,
    'The service in every trace and metric. Comes before `service.name` in `OTEL_RESOURCE_ATTRIBUTES`.',
    '`unknown_service:node`',
  ),
  /** `false` records what would be cancelled and cancels nothing: `CURFEW_ENFORCE`. */
  enforce: setting(
    'CURFEW_ENFORCE',
    flag,
    true,
    '`0` watches: what Curfew would cancel is counted as `curfew.cancel.observed` and not cancelled. The kill switch.',
  ),
  /** `false` takes the guard off `process.emit`, and calls and queries run on when their request ends: `CURFEW_GUARD`. */
  guard: setting(
    'CURFEW_GUARD',
    flag,
    true,
    '`0` takes the guard off `process.emit`; calls and queries then run on when their request ends, since their errors could end the process.',
  ),
  /** The longest budget that a caller may bring, in milliseconds, `Infinity` for any: `CURFEW_MAX_TIMEOUT`. */
  maxTimeout: setting(
    'CURFEW_MAX_TIMEOUT',
    milliseconds,
    3_600_000,
    'The longest budget that a caller may bring; more is cut to it.',
  ),
  /** The server's own limit for every inbound HTTP request, in milliseconds: `CURFEW_REQUEST_TIMEOUT`. */
  requestTimeout: optional(
    'CURFEW_REQUEST_TIMEOUT',
    delay,
    "The server's own limit for every inbound HTTP request; a shorter budget of the caller goes before it.",
    'no limit',
  ),
  /** Who is told the remaining budget: `CURFEW_OUTBOUND_HOSTS`. */
  outboundHosts: setting(
    'CURFEW_OUTBOUND_HOSTS',
    hosts,
    ['private'],
    'Who is told the remaining budget: hosts, `*.suffix`, `private` (the own network), `*` (all), `none`.',
  ),
  /** The limit of a flush in milliseconds: `CURFEW_SHUTDOWN_TIMEOUT`. */
  shutdownTimeout: setting(
    'CURFEW_SHUTDOWN_TIMEOUT',
    delay,
    2_000,
    'The limit of a flush, at shutdown and when the process ends.',
  ),
} as const;
