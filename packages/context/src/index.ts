export { checkpoint } from './verbs/checkpoint';
export { cleanup, type CleanupOptions } from './verbs/cleanup';
export { withCancel, withDeadline, withSignal, withTimeout } from './verbs/derive';
export {
  CanceledError,
  DeadlineExceededError,
  isCanceled,
  isDeadlineExceeded,
  reasonOf,
  type EndErrorOptions,
  type Reason,
} from './plumbing/errors';
export { group, type Group, type GroupOptions } from './verbs/group';
export { iterate } from './verbs/iterate';
export { merge } from './verbs/merge';
export { notifyContext } from './verbs/notify-context';
export { afterFunc, onEnd } from './verbs/on-end';
export { race } from './verbs/race';
export { active, background, from, todo, withoutCancel, withValue } from './verbs/roots';
export { run, track } from './verbs/run';
export { scope, type ScopeOptions } from './verbs/scope';
export { sleep } from './verbs/sleep';
export type { Cancel, CancelContext, Context, DeriveOptions, OperationOptions } from './plumbing/types';
