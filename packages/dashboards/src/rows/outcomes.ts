import { INSTRUMENTS } from '@curfew/telemetry';
import { heatmap, table, timeseries } from '../panels';
import { buckets, labelName, legendOf, quantile, rate, share, total } from '../query';
import { ENDED_IN_ROW, endedBy, tracesLink } from '../traces';
import type { Row } from './row';

const perJob = rate('ended', { by: ['job'] });

export const outcomes = (): Row => ({
  id: 200,
  title: 'How contexts end',
  panels: [
    timeseries({
      id: 201,
      title: 'Ended, by outcome',
      description: `${INSTRUMENTS.ended.help} A context that its owner released after its work is completed.`,
      unit: 'ops',
      queries: [
        {
          expr: rate('ended', { by: ['curfew.context.outcome'] }),
          legend: legendOf('curfew.context.outcome'),
        },
      ],
      colouredBy: 'curfew.context.outcome',
    }),
    timeseries({
      id: 202,
      title: 'Cancellations, by origin',
      description: `${INSTRUMENTS.cancellations.help} The origin says who: a client, a deadline, the code itself.`,
      unit: 'ops',
      queries: [
        {
          expr: rate('cancellations', { by: ['curfew.cancel.origin'] }),
          legend: legendOf('curfew.cancel.origin'),
        },
      ],
      colouredBy: 'curfew.cancel.origin',
    }),
    timeseries({
      id: 203,
      title: 'Share that exceeded its deadline, by job',
      description:
        'Of all contexts that ended in a job. The service whose curve rises first is where time goes.',
      unit: 'percentunit',
      queries: [
        {
          expr: share(
            rate('ended', { by: ['job'], where: { 'curfew.context.outcome': 'deadline_exceeded' } }),
            perJob,
          ),
          legend: legendOf('job'),
        },
      ],
      links: [tracesLink('Traces whose deadline passed', endedBy('deadline_exceeded'))],
    }),
    timeseries({
      id: 204,
      title: 'Share that was canceled, by job',
      description:
        'Of all contexts that ended in a job. Clients that give up show here before they complain.',
      unit: 'percentunit',
      queries: [
        {
          expr: share(
            rate('ended', { by: ['job'], where: { 'curfew.context.outcome': 'canceled' } }),
            perJob,
          ),
          legend: legendOf('job'),
        },
      ],
      links: [tracesLink('Traces that were canceled', endedBy('canceled'))],
    }),
    timeseries({
      id: 205,
      title: 'Lifetime, p95 by outcome',
      description: `${INSTRUMENTS.duration.help} Canceled ones tell how long clients wait before they give up.`,
      unit: 's',
      queries: [
        {
          expr: quantile(0.95, 'duration', { by: ['curfew.context.outcome'] }),
          legend: legendOf('curfew.context.outcome'),
        },
      ],
      colouredBy: 'curfew.context.outcome',
      log: true,
    }),
    heatmap({
      id: 206,
      title: 'Descendants ended by one cancellation',
      description: `${INSTRUMENTS.fanout.help} High bands: one hang-up stops a great deal of work.`,
      unit: 'none',
      queries: [{ expr: buckets('fanout'), legend: '{{le}}' }],
    }),
    table({
      id: 207,
      title: 'Most cancelled',
      description: `${INSTRUMENTS.cancellations.help} The twenty most frequent in the time shown, by name and cause.`,
      unit: 'none',
      queries: [
        {
          expr: `topk(20, ${total('cancellations', {
            by: ['job', 'curfew.context.name', 'curfew.cancel.reason', 'curfew.cancel.origin'],
          })})`,
          legend: legendOf('curfew.context.name'),
        },
      ],
      columns: {
        [labelName('curfew.context.name')]: 'context',
        [labelName('curfew.cancel.reason')]: 'reason',
        [labelName('curfew.cancel.origin')]: 'origin',
        Value: 'cancellations',
      },
      links: [tracesLink('Traces with a cancellation in this service', ENDED_IN_ROW)],
    }),
  ],
});
