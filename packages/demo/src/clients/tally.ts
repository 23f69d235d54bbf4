/** What became of the requests, as their clients saw it. Kept without Curfew. */
export interface Tally {
  readonly sent: number;
  readonly answered: number;
  readonly hungUp: number;
  readonly timedOut: number;
  readonly failed: number;
}

export type Fate = Exclude<keyof Tally, 'sent'>;

export const NO_REQUESTS: Tally = { sent: 0, answered: 0, hungUp: 0, timedOut: 0, failed: 0 };

/** The tally with one more request sent. */
export function withSent(tally: Tally): Tally {
  return { ...tally, sent: tally.sent + 1 };
}

/** The tally with one more request whose fate is known. */
export function withFate(tally: Tally, fate: Fate): Tally {
  return { ...tally, [fate]: tally[fate] + 1 };
}
