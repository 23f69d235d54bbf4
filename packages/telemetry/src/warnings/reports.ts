import type { ChainBreak } from '@curfew/context/spi';
import { trace } from '@opentelemetry/api';
import { REASON_NAMES } from '../registry/value-numbers';
import type { TellEvent } from '../spans/span-events';
import { clean } from '../figures/labels';
import { nameOfLive, type Live } from '../figures/open-contexts';
import { callerStack, type Origins } from './stacks';
import { wallTime } from '../spans/own-spans';
import { EVENTS, WARNING_ATTRIBUTES } from '../registry/span-names';
import type { Store } from '../figures/store';
import type { Warning } from './warnings';
import type { Running } from '../operations/work';

/** What telemetry tells a person, each as a warning with the name, the age and the reason. */
export interface Reports {
  /** An orphan has been running for longer than `orphanReportAfter`. */
  orphan(work: Running, now: number): void;
  /** So many more contexts linger; the oldest of them is in the slot. */
  lingering(count: number, oldest: number, now: number): void;
  /** The context in the slot was garbage-collected without having ended. */
  lost(slot: number, now: number): void;
  brokenChain(event: ChainBreak): void;
}

export interface ReportParts {
  readonly store: Store;
  readonly live: Live;
  readonly origins: Origins | undefined;
  readonly warn: (warning: Warning) => void;
  readonly tell: TellEvent;
}

export function createReports({ store, live, origins, warn, tell }: ReportParts): Reports {
  const seconds = (ms: number) => Math.round(ms) / 1000;

  return {
    orphan(work, now) {
      const reason = REASON_NAMES[work.reason] ?? 'canceled';
      const kind = store.kinds.value(work.kind);
      const context = store.names.value(work.contextName);
      const name = typeof work.name === 'string' && work.name !== '' ? clean(work.name) : undefined;
      const age = seconds(now - work.endedAt);
      const what = name === undefined ? `${kind} work` : `"${name}" (${kind})`;
      warn({
        sort: 'orphan',
        message: `Orphan: ${what} still runs ${age} s after its context "${context}" ended (${reason}).`,
        attributes: {
          'curfew.context.name': context,
          'curfew.operation.kind': kind,
          [WARNING_ATTRIBUTES.operationName]: name,
          'curfew.cancel.reason': reason,
          [WARNING_ATTRIBUTES.age]: age,
        },
        stack: work.madeAt,
        span: work.spanContext,
      });
      // Last, since a span of somebody's own making may throw.
      const { span } = work;
      if (span?.isRecording() === true) {
        const attributes = { 'curfew.cancel.reason': reason };
        tell(span, { name: EVENTS.orphan, at: wallTime(now, now), severity: 'WARN', attributes });
      }
    },

    lingering(count, oldest, now) {
      const name = store.names.value(nameOfLive(live, oldest));
      const age = seconds(now - (live.startedAt[oldest] as number));
      const others = count === 1 ? '' : ` Nor have ${count - 1} more.`;
      warn({
        sort: 'lingering',
        message: `Lingering: context "${name}" has not ended in ${age} s.${others}`,
        attributes: { 'curfew.context.name': name, [WARNING_ATTRIBUTES.age]: age },
        stack: origins?.of(oldest),
      });
    },

    lost(slot, now) {
      const name = store.names.value(nameOfLive(live, slot));
      const age = seconds(now - (live.startedAt[slot] as number));
      warn({
        sort: 'lost',
        message: `Lost: context "${name}" was garbage-collected after ${age} s without having ended.`,
        attributes: { 'curfew.context.name': name, [WARNING_ATTRIBUTES.age]: age },
        stack: origins?.of(slot),
      });
    },

    brokenChain({ cause, active }) {
      const name = store.names.value(store.names.peek(active.name));
      const what = cause === 'root_span' ? 'a span' : `a context from ${cause}()`;
      warn({
        sort: 'brokenChain',
        message: `Broken chain: ${what} started from a root inside the live context "${name}", and will not hear of its end.`,
        attributes: { 'curfew.context.name': name, 'curfew.break.cause': cause },
        stack: origins === undefined ? undefined : callerStack(),
        span: trace.getSpanContext(active),
      });
    },
  };
}
