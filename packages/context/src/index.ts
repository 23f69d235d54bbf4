export { checkpoint } from './checkpoint';
export { cleanup, type CleanupOptions } from './cleanup';
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
export { group, type Group, type GroupOptions } from './group';
export { iterate } from './iterate';
export { merge } from './merge';
export { notifyContext } from './notify-context';
export { afterFunc, onEnd } from './on-end';
export { race } from './race';
export { active, background, from, todo, withoutCancel, withValue } from './roots';
export { run, track } from './run';
export { scope, type ScopeOptions } from './scope';
export { sleep } from './sleep';
export type { Cancel, CancelContext, Context, DeriveOptions, OperationOptions } from './types';
