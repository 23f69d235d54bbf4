import { clock, MAX_DELAY } from '@curfew/context/spi';
import { eachLive, isLongLived, isTold, setTold, type Live } from '../figures/open-contexts';
import { steadyNow, type Steady } from '../figures/rising-clock';

/** Tells of contexts that have grown older than they should, each once. */
export interface LingeringWatch {
  stop(): void;
}

export interface LingeringWatchOptions {
  readonly live: Live;
  readonly steady: Steady;
  /** Milliseconds. */
  readonly lingerAfter: number;
  /** So many have passed the limit since the last look; `oldest` is the slot of the oldest of them. */
  onLingering(count: number, oldest: number, now: number): void;
}

/** Looks at the live contexts now and then: as often as the limit asks for, and no more than ten times within it. */
export function watchLingering({
  live,
  steady,
  lingerAfter,
  onLingering,
}: LingeringWatchOptions): LingeringWatch {
  if (lingerAfter === Infinity) return { stop: () => undefined };
  const pause = Math.max(1, lingerAfter / 10);
  let timer: unknown;

  function look(): void {
    const now = steadyNow(steady);
    let count = 0;
    let oldest = -1;
    let next = now + lingerAfter;
    eachLive(live, (slot) => {
      if (isLongLived(live, slot) || isTold(live, slot)) return;
      const startedAt = live.startedAt[slot] as number;
      // One that began while the clock was no number never does.
      if (!(now - startedAt >= lingerAfter)) {
        if (startedAt + lingerAfter < next) next = startedAt + lingerAfter;
        return;
      }
      setTold(live, slot);
      count++;
      if (oldest === -1 || startedAt < (live.startedAt[oldest] as number)) oldest = slot;
    });
    if (count > 0) onLingering(count, oldest, now);
    arm(Math.max(next - now, pause));
  }

  function arm(delay: number): void {
    timer = clock().setTimer(look, Math.min(MAX_DELAY, Math.ceil(delay)), false);
  }

  arm(lingerAfter);
  return { stop: () => clock().clearTimer(timer) };
}
