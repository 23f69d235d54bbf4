import { INSTRUMENTS } from '@curfew/telemetry';
import { timeseries } from '../panels';
import { current, highest, legendOf, rate } from '../query';
import { ORPHANS, tracesLink } from '../traces';
import type { Row } from './row';

export const leftovers = (): Row => ({
  id: 400,
  title: 'What keeps running',
  panels: [
    timeseries({
      id: 401,
      title: 'Orphans now, by kind',
      description: `${INSTRUMENTS.orphansActive.help} A curve that only rises is a leak.`,
      unit: 'none',
      queries: [
        {
          expr: current('orphansActive', { by: ['job', 'curfew.operation.kind'] }),
          legend: legendOf('job', 'curfew.operation.kind'),
        },
      ],
      links: [tracesLink('Traces with orphans', ORPHANS)],
    }),
    timeseries({
      id: 402,
      title: 'Orphans made, by kind',
      description: INSTRUMENTS.orphans.help,
      unit: 'ops',
      queries: [
        {
          expr: rate('orphans', { by: ['job', 'curfew.operation.kind'] }),
          legend: legendOf('job', 'curfew.operation.kind'),
        },
      ],
      links: [tracesLink('Traces with orphans', ORPHANS)],
    }),
    timeseries({
      id: 403,
      title: 'Work for nobody',
      description: `${INSTRUMENTS.orphanTime.help} A second a second is one lane that works for nobody all the time.`,
      unit: 'none',
      queries: [
        {
          expr: rate('orphanTime', { by: ['job', 'curfew.operation.kind'] }),
          legend: legendOf('job', 'curfew.operation.kind'),
        },
      ],
      links: [tracesLink('Traces with orphans', ORPHANS)],
    }),
    timeseries({
      id: 404,
      title: 'Lingering contexts, by name',
      description: `${INSTRUMENTS.lingering.help} Somebody forgot to release them, or should have said longLived.`,
      unit: 'none',
      queries: [
        {
          expr: current('lingering', { by: ['job', 'curfew.context.name'] }),
          legend: legendOf('job', 'curfew.context.name'),
        },
      ],
    }),
    timeseries({
      id: 405,
      title: 'Oldest context',
      description: `${INSTRUMENTS.oldestAge.help} A straight line upwards is one context that nobody will ever end.`,
      unit: 's',
      queries: [
        { expr: highest('oldestAge', { by: ['job', 'instance'] }), legend: legendOf('job', 'instance') },
      ],
    }),
    timeseries({
      id: 406,
      title: 'Live contexts and operations',
      description: `${INSTRUMENTS.active.help} ${INSTRUMENTS.operations.help} Both follow the load; neither may only rise.`,
      unit: 'none',
      queries: [
        { expr: current('active', { by: ['job'] }), legend: `contexts ${legendOf('job')}` },
        { expr: current('operations', { by: ['job'] }), legend: `operations ${legendOf('job')}` },
      ],
    }),
  ],
});
