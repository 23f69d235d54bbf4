import { INSTRUMENTS } from '@curfew/telemetry';
import { timeseries } from '../panels';
import { legendOf, quantile, rate } from '../query';
import type { Row } from './row';

const EMPTY = 'Empty unless asked for:';

export const onDemand = (): Row => ({
  id: 700,
  title: 'Recorded on demand',
  panels: [
    timeseries({
      id: 701,
      title: 'Lost contexts, by name',
      description: `${INSTRUMENTS.lost.help} ${EMPTY} CURFEW_LOST=1.`,
      unit: 'ops',
      queries: [
        {
          expr: rate('lost', { by: ['job', 'curfew.context.name'] }),
          legend: legendOf('job', 'curfew.context.name'),
        },
      ],
      width: 12,
    }),
    timeseries({
      id: 702,
      title: 'Clean-ups, p95 by outcome',
      description: `${INSTRUMENTS.cleanup.help} ${EMPTY} CURFEW_CLEANUPS=1.`,
      unit: 's',
      queries: [
        {
          expr: quantile(0.95, 'cleanup', { by: ['curfew.cleanup.outcome'] }),
          legend: `p95 ${legendOf('curfew.cleanup.outcome')}`,
        },
      ],
      width: 12,
    }),
  ],
});
