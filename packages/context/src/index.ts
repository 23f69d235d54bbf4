export { withCancel, withDeadline, withSignal, withTimeout } from './derive';
export {
  CanceledError,
  DeadlineExceededError,
  isCanceled,
  isDeadlineExceeded,
  reasonOf,
  type EndErrorOptions,
  type Reason,
} from './errors';
export { afterFunc, onEnd } from './on-end';
export { active, background, from, todo, withoutCancel, withValue } from './roots';
export { run, track } from './run';
export { scope, type ScopeOptions } from './scope';
export type { Cancel, CancelContext, Context, DeriveOptions, OperationOptions } from './types';
