import { INSTRUMENTS } from '@curfew/telemetry';
import { timeseries } from '../panels';
import { legendOf, observations, quantile, rate } from '../query';
import type { Row } from './row';

export const deadlines = (): Row => ({
  id: 500,
  title: 'Deadlines between services',
  panels: [
    timeseries({
      id: 501,
      title: 'Inbound requests, by what their deadline header said',
      description: `${INSTRUMENTS.inbound.help} "none": the caller sets no deadline, so its giving up is all we learn.`,
      unit: 'reqps',
      queries: [
        {
          expr: rate('inbound', { by: ['curfew.propagation.outcome'] }),
          legend: legendOf('curfew.propagation.outcome'),
        },
      ],
      colouredBy: 'curfew.propagation.outcome',
    }),
    timeseries({
      id: 502,
      title: 'Budget on arrival',
      description: `${INSTRUMENTS.remaining.help} A p10 near zero: callers ask when there is no time left to answer.`,
      unit: 's',
      queries: [
        { expr: quantile(0.1, 'remaining', { by: ['job'] }), legend: `p10 ${legendOf('job')}` },
        { expr: quantile(0.5, 'remaining', { by: ['job'] }), legend: `p50 ${legendOf('job')}` },
      ],
    }),
    timeseries({
      id: 503,
      title: 'Requests that brought a deadline, by source',
      description: `${INSTRUMENTS.remaining.help} How many there were: the header or protocol that each came by.`,
      unit: 'reqps',
      queries: [
        { expr: observations('remaining', { by: ['curfew.source'] }), legend: legendOf('curfew.source') },
      ],
    }),
    timeseries({
      id: 504,
      title: 'Calls refused before any work',
      description: `${INSTRUMENTS.rejections.help} Each is work that was saved.`,
      unit: 'reqps',
      queries: [
        {
          expr: rate('rejections', { by: ['job', 'curfew.source'] }),
          legend: legendOf('job', 'curfew.source'),
        },
      ],
    }),
    timeseries({
      id: 505,
      title: 'Broken chains, by cause',
      description: `${INSTRUMENTS.breaks.help} What starts there will not hear of any cancellation.`,
      unit: 'ops',
      queries: [
        {
          expr: rate('breaks', { by: ['job', 'curfew.break.cause'] }),
          legend: legendOf('job', 'curfew.break.cause'),
        },
      ],
    }),
    timeseries({
      id: 506,
      title: 'Would have been cancelled',
      description: `${INSTRUMENTS.observed.help} Look here before you let Curfew enforce, and after you stop it.`,
      unit: 'ops',
      queries: [
        {
          expr: rate('observed', { by: ['curfew.cancel.origin'] }),
          legend: legendOf('curfew.cancel.origin'),
        },
      ],
      colouredBy: 'curfew.cancel.origin',
    }),
  ],
});
