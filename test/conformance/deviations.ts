/**
 * Rows of behaviours.md that Curfew deviates from on purpose, each with the reason. The row as written must fail:
 * one that passes makes the suite red, until it is taken off this list.
 */
export const deviations: Readonly<Record<string, string>> = {
  G38: 'one timer serves all deadlines: a cancel drops its own at once, the timer is cleared a second after the last has gone',
  G67: 'a Curfew node knows who was first, so the first cancellation sets the cause; Go calls its own answer not really right',
  G99: "callbacks run in the OpenTelemetry context of registration; a user's own AsyncLocalStorage stays the canceller's",
  S20: 'listeners run in pre-order of the tree, so a grandchild comes before its uncles; native dependents are flat',
  S21: 'no native signal can be marked without its event: a held one aborts in its turn, while err() and ctx.signal tell at once',
  S22: 'merge follows its second context by a callback, which listeners of that one’s signal precede; its first, by the tree',
  J27: 'the node and its first view are one object, so a live deadline keeps the values beneath it, as in Go; none above it',
  J39: 'every span under a context is an operation too, so that a service that is instrumented already is observed',
  J42: 'one cancel function serves as CancelFunc and CancelCauseFunc: with an argument it cancels with that cause',
};

/** Rows that have nothing in Curfew to be tested on, each with the reason. */
export const notApplicable: Readonly<Record<string, string>> = {
  G110: 'benchmarks, not behaviour: packages/context/bench prints them in one table beside their alternatives',
  E10: 'the limit is an option of group() and cannot be changed afterwards, so there is nothing to throw',
};
