import { INSTRUMENTS } from '@curfew/telemetry';
import { stat } from '../panels';
import { current, quantile, rate, share, total } from '../query';
import type { Row } from './row';

const ended = rate('ended');

export const atAGlance = (): Row => ({
  id: 100,
  title: 'At a glance',
  panels: [
    stat({
      id: 101,
      title: 'Contexts ended',
      description: `${INSTRUMENTS.ended.help} All of them together: how much work passes through Curfew.`,
      unit: 'ops',
      queries: [{ expr: ended, legend: 'ended' }],
      steps: [],
    }),
    stat({
      id: 102,
      title: 'Exceeded their deadline',
      description:
        'The share of contexts that ended because time ran out. What you promised your callers shows here.',
      unit: 'percentunit',
      queries: [
        {
          expr: share(rate('ended', { where: { 'curfew.context.outcome': 'deadline_exceeded' } }), ended),
          legend: 'deadline exceeded',
        },
      ],
      steps: [
        [0.01, 'orange'],
        [0.05, 'red'],
      ],
    }),
    stat({
      id: 103,
      title: 'Canceled',
      description:
        'The share of contexts that somebody cancelled: clients that gave up, callers that lost interest.',
      unit: 'percentunit',
      queries: [
        {
          expr: share(rate('ended', { where: { 'curfew.context.outcome': 'canceled' } }), ended),
          legend: 'canceled',
        },
      ],
      steps: [[0.25, 'orange']],
    }),
    stat({
      id: 104,
      title: 'News delivered, p99',
      description: `${INSTRUMENTS.propagation.help} Above 100 ms something blocks: an event loop, a proxy, a lost hop.`,
      unit: 's',
      queries: [{ expr: quantile(0.99, 'propagation'), legend: 'p99' }],
      steps: [
        [0.1, 'orange'],
        [1, 'red'],
      ],
    }),
    stat({
      id: 105,
      title: 'Orphans now',
      description: `${INSTRUMENTS.orphansActive.help} More than a few for long: something does not listen to its signal.`,
      unit: 'none',
      decimals: 0,
      queries: [{ expr: current('orphansActive'), legend: 'orphans' }],
      steps: [
        [1, 'orange'],
        [25, 'red'],
      ],
    }),
    stat({
      id: 106,
      title: 'Wasted time',
      description: `${INSTRUMENTS.orphanTime.help} Summed over the time shown.`,
      unit: 's',
      queries: [{ expr: total('orphanTime'), legend: 'wasted' }],
      steps: [[60, 'orange']],
    }),
  ],
});
