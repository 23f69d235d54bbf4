import { createAlarm } from '../figures/alarm';
import {
  eachRow,
  isLongLived,
  isReported,
  setReported,
  startOf,
  type OpenContexts,
} from '../figures/open-contexts';
import { risingNow, type RisingClock } from '../figures/rising-clock';

/** Tells of contexts that have grown older than they should, each once. */
export interface LingeringWatch {
  /** Goes on by the clock in force, if that is another one by now. */
  renew(): void;
  stop(): void;
}

export interface LingeringWatchOptions {
  readonly open: OpenContexts;
  readonly rising: RisingClock;
  /** Milliseconds. */
  readonly lingerAfter: number;
  /** So many have passed the limit since the last look; `oldest` is the row of the oldest of them. */
  onLingering(count: number, oldest: number, now: number): void;
}

/** Looks at the live contexts now and then: as often as the limit asks for, and no more than ten times within it. */
export function watchLingering({
  open,
  rising,
  lingerAfter,
  onLingering,
}: LingeringWatchOptions): LingeringWatch {
  if (lingerAfter === Infinity) return { renew: () => undefined, stop: () => undefined };
  const pause = Math.max(1, lingerAfter / 10);

  function look(): void {
    const now = risingNow(rising);
    let count = 0;
    let oldest = -1;
    let next = now + lingerAfter;
    eachRow(open, (row) => {
      if (isLongLived(open, row) || isReported(open, row)) return;
      const startedAt = startOf(open, row);
      // One that began while the clock was no number never does.
      if (!(now - startedAt >= lingerAfter)) {
        if (startedAt + lingerAfter < next) next = startedAt + lingerAfter;
        return;
      }
      setReported(open, row);
      count++;
      if (oldest === -1 || startedAt < startOf(open, oldest)) oldest = row;
    });
    if (count > 0) onLingering(count, oldest, now);
    alarm.set(Math.max(next, now + pause), now);
  }

  const alarm = createAlarm(look);
  const installedAt = risingNow(rising);
  alarm.set(installedAt + lingerAfter, installedAt);
  return { renew: () => alarm.renew(risingNow(rising)), stop: () => alarm.stop() };
}
