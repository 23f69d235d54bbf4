import type { Act, Ctx, Op } from './acts';
import type { Samples, Tally } from './tally';

/** What the gauges are read from. */
export interface Standing {
  readonly live: readonly Ctx[];
  readonly leftBehind: Iterable<Op>;
  /** Milliseconds. */
  readonly now: number;
  /** Milliseconds. */
  readonly orphanGrace: number;
  /** Milliseconds. */
  readonly lingerAfter: number;
}

/** Adds what is worked out when it is asked for: what lives, what lingers, how old the oldest is, orphans that still run. */
export function withGauges(samples: Map<string, number>, standing: Standing): Samples {
  const { live, leftBehind, now, orphanGrace, lingerAfter } = standing;
  const add = (key: string, by: number) => samples.set(key, (samples.get(key) ?? 0) + by);
  let oldest = 0;
  for (const { startedAt, longLived, label } of live) {
    add(`curfew.context.active{${label}}`, 1);
    if (longLived) continue;
    oldest = Math.max(oldest, now - startedAt);
    if (now - startedAt >= lingerAfter) add(`curfew.context.lingering{${label}}`, 1);
  }
  samples.set('curfew.context.oldest.age{}', oldest / 1000);
  for (const { endedAt, reason, label } of leftBehind) {
    if (now - endedAt < orphanGrace) continue;
    const labels = `{curfew_cancel_reason="${reason}",${label}}`;
    add(`curfew.orphan.active${labels}`, 1);
    add(`curfew.orphan.operations${labels}`, 1);
    add(`curfew.orphan.time${labels}`, (now - endedAt) / 1000);
  }
  return samples;
}

/** What adapters tell, and the core as one. */
export type Told = 'received' | 'refused' | 'stopped' | 'cleaned' | 'guarded';

/** What adapters tell concerns no context: it is counted as it is told. */
export function tallyAdapter(tally: Tally, act: Extract<Act, { do: Told }>): void {
  switch (act.do) {
    case 'received': {
      const source = tally.label('source', act.source);
      tally.count('curfew.propagation.inbound', `curfew_propagation_outcome="${act.outcome}",${source}`);
      if (act.ms !== undefined) tally.measure('curfew.deadline.remaining', source, act.ms);
      break;
    }
    case 'refused':
      tally.count('curfew.deadline.rejections', tally.label('source', act.source));
      break;
    case 'stopped': {
      const labels = `curfew_backend_cancel_outcome="${act.outcome}",db_system_name="${act.system}"`;
      tally.measure('curfew.backend.cancel.duration', labels, act.ms);
      break;
    }
    case 'guarded':
      tally.count('curfew.sdk.guarded', '');
      break;
    case 'cleaned':
      tally.measure('curfew.cleanup.duration', `curfew_cleanup_outcome="${act.outcome}"`, act.ms);
      break;
  }
}
