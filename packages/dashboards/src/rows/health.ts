import { INSTRUMENTS } from '@curfew/telemetry';
import { timeseries } from '../panels';
import { current, legendOf, rate } from '../query';
import type { Row } from './row';

export const health = (): Row => ({
  id: 600,
  title: 'Health of the measuring',
  panels: [
    timeseries({
      id: 601,
      title: 'Caps reached, by limit',
      description: `${INSTRUMENTS.overflows.help} Anything but zero: figures by name are incomplete, totals are not.`,
      unit: 'ops',
      queries: [
        {
          expr: rate('overflows', { by: ['job', 'curfew.sdk.limit'] }),
          legend: legendOf('job', 'curfew.sdk.limit'),
        },
      ],
      width: 6,
    }),
    timeseries({
      id: 602,
      title: 'Errors in listeners',
      description: `${INSTRUMENTS.hookErrors.help} None harms the service; each means that something went unrecorded.`,
      unit: 'ops',
      queries: [{ expr: rate('hookErrors', { by: ['job'] }), legend: legendOf('job') }],
      width: 6,
    }),
    timeseries({
      id: 603,
      title: 'Processes, by version',
      description: `${INSTRUMENTS.build.help} How many processes report, and which version each runs.`,
      unit: 'none',
      queries: [
        {
          expr: current('build', { by: ['job', 'curfew.version'] }),
          legend: legendOf('job', 'curfew.version'),
        },
      ],
      width: 6,
    }),
    timeseries({
      id: 604,
      title: 'Errors taken by the guard',
      description: `${INSTRUMENTS.guarded.help} Each is a call that the application awaits or starts without a catch.`,
      unit: 'ops',
      queries: [{ expr: rate('guarded', { by: ['job'] }), legend: legendOf('job') }],
      width: 6,
    }),
  ],
});
