import { INSTRUMENTS } from '@curfew/telemetry';
import { heatmap, timeseries } from '../panels';
import { buckets, legendOf, quantile } from '../query';
import type { Row } from './row';

export const delivery = (): Row => ({
  id: 300,
  title: 'How fast the news travels',
  panels: [
    heatmap({
      id: 301,
      title: 'Propagation',
      description: `${INSTRUMENTS.propagation.help} Within a process: microseconds. A second band far above is a hop.`,
      unit: 's',
      queries: [{ expr: buckets('propagation'), legend: '{{le}}' }],
    }),
    timeseries({
      id: 302,
      title: 'Propagation, p99 by boundary',
      description: `${INSTRUMENTS.propagation.help} Across services it takes cancel reports, which are opt-in.`,
      unit: 's',
      queries: [
        {
          expr: quantile(0.99, 'propagation', { by: ['curfew.propagation.boundary'] }),
          legend: legendOf('curfew.propagation.boundary'),
        },
      ],
      log: true,
    }),
    timeseries({
      id: 303,
      title: 'Settling, p99 by kind',
      description: `${INSTRUMENTS.settle.help} The kind that takes longest does not listen, or cannot stop halfway.`,
      unit: 's',
      queries: [
        {
          expr: quantile(0.99, 'settle', { by: ['curfew.operation.kind'] }),
          legend: legendOf('curfew.operation.kind'),
        },
      ],
      log: true,
    }),
    timeseries({
      id: 304,
      title: 'Deadlines noticed late, p99',
      description: `${INSTRUMENTS.lateness.help} Curves of "check" without "timer" mean that no timer got its turn.`,
      unit: 's',
      queries: [
        {
          expr: quantile(0.99, 'lateness', { by: ['curfew.detected_by'] }),
          legend: legendOf('curfew.detected_by'),
        },
      ],
      log: true,
    }),
    timeseries({
      id: 305,
      title: 'Backends stopped, p95 by outcome',
      description: `${INSTRUMENTS.backendCancel.help} "completed" means that the work was done before the news arrived.`,
      unit: 's',
      queries: [
        {
          expr: quantile(0.95, 'backendCancel', { by: ['db.system.name', 'curfew.backend.cancel.outcome'] }),
          legend: legendOf('db.system.name', 'curfew.backend.cancel.outcome'),
        },
      ],
      width: 24,
      log: true,
    }),
  ],
});
