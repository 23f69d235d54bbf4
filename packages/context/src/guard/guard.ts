import { diag } from '@opentelemetry/api';
import { wrongType } from '../plumbing/arguments';
import { builtin } from '../plumbing/builtin';
import { isOwn } from './own-errors';
import { runtime, type Emit, type Guard } from '../plumbing/runtime';

/** What of Node's process the guard needs; each member is missed where it is not. */
interface Host {
  emit?: Emit;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly execArgv?: readonly string[];
  hasUncaughtExceptionCaptureCallback?(): boolean;
}

/**
 * Guards the process against errors of automatic cancellations that nobody handles; returns how to undo it. Every
 * automatic form installs it, and the last one to go takes it away.
 *
 * It stands at `process.emit`, the one place that sees such an error before the listeners of the program, many of which
 * log and exit, and before Node dies of it; a listener of our own would switch Node's default off for all other errors.
 * What is not ours passes as Node has it, in every mode of `--unhandled-rejections`. `CURFEW_GUARD=0` keeps it away,
 * and with it every automatic cancellation of calls.
 *
 * @example
 * ```ts
 * import { guarded, installGuard } from '@curfew/context/spi';
 * const undo = installGuard();
 * guarded(); // => true
 * undo();
 * guarded(); // => false
 * ```
 */
export function installGuard(): () => void {
  const { guard } = runtime;
  guard.installed++;
  guarded();
  let present = true;
  return () => {
    if (!present) return;
    present = false;
    if (--guard.installed === 0) remove(guard);
  };
}

/**
 * `false` keeps the guard away, and with it every automatic cancellation of a call. It comes before `CURFEW_GUARD`.
 * Returns how to put the former choice back.
 *
 * @throws TypeError if `on` is no boolean.
 * @example
 * ```ts
 * import { cancelsAutomatically, installGuard, setGuard } from '@curfew/context/spi';
 * const uninstall = installGuard();
 * const restore = setGuard(false);
 * cancelsAutomatically(); // => false
 * restore();
 * cancelsAutomatically(); // => true
 * uninstall();
 * ```
 */
export function setGuard(on: boolean): () => void {
  if (typeof on !== 'boolean') throw wrongType('on', 'a boolean', on);
  const { guard } = runtime;
  const former = guard.wanted;
  guard.wanted = on;
  return () => {
    guard.wanted = former;
  };
}

/**
 * Whether the process is guarded now, so that automatic calls may be ended. Asked before each of them: a program may
 * come to need its last words for itself at any time, and patches of `process.emit` come and go.
 *
 * @example
 * ```ts
 * import { guarded } from '@curfew/context/spi';
 * guarded(); // => false
 * ```
 */
export function guarded(): boolean {
  const { guard } = runtime;
  if (guard.installed === 0) return false;
  const host = hostOf();
  if (host?.emit === undefined || isSwitchedOff(guard, host) || !canTake(host)) return false;
  return host.emit === guard.emit || put(guard, host);
}

function hostOf(): Host | undefined {
  return (globalThis as { process?: Host }).process;
}

/** What is read once, of the process that it was read of. */
let settled: { readonly host: Host; readonly off: boolean; readonly aborts: boolean } | undefined;

/** Whether the program or its operator says so, or has Node die of every error before anybody is asked. */
function isSwitchedOff({ wanted }: Guard, host: Host): boolean {
  if (settled?.host !== host) {
    const { CURFEW_GUARD: given = '', NODE_OPTIONS: options = '' } = host.env ?? {};
    const off = /^\s*(0|off|no|false)\s*$/i.test(given);
    const aborts = /--abort[-_]on[-_]uncaught[-_]exception/.test(`${options} ${host.execArgv?.join(' ')}`);
    settled = { host, off, aborts };
  }
  return settled.aborts || (wanted === undefined ? settled.off : !wanted);
}

/** A capture callback gets errors past `process.emit`; so do domains, which Node knows once their module is loaded. */
function canTake(host: Host): boolean {
  if (host.hasUncaughtExceptionCaptureCallback?.() === true) return false;
  events ??= builtin<Events>('events') ?? {};
  return events.usingDomains !== true;
}

/** The module, which says so once `domain` is loaded. */
interface Events {
  readonly usingDomains?: boolean;
}

let events: Events | undefined;

/** How often another patch is patched over. With one that does the same, it would go on for ever. */
const MAX_WRAPS = 16;

/** Puts ours on top of what stands at `process.emit`; whether it is there now. */
function put(guard: Guard, host: Host): boolean {
  const over = host.emit as Emit;
  // A patch over ours has been taken away again.
  if (guard.made.has(over)) {
    guard.emit = over;
    return true;
  }
  if (guard.wraps >= MAX_WRAPS) return false;
  guard.wraps++;
  const emit: Emit = function emit(this: unknown, event, ...args) {
    if (guard.emit === emit && takes(guard, event, args)) return true;
    return Reflect.apply(over, this, [event, ...args]);
  };
  guard.made.set(emit, () => {
    if (host.emit !== emit) return;
    host.emit = over;
    guard.wraps--;
  });
  try {
    host.emit = emit;
  } catch {
    // A process that is frozen is not guarded.
  }
  if (host.emit !== emit) return false;
  guard.emit = emit;
  return true;
}

/** Takes ours away, where nobody has patched over it. */
function remove(guard: Guard): void {
  if (guard.emit === undefined) return;
  guard.made.get(guard.emit)?.();
  guard.emit = undefined;
}

/** Whether this event is one of ours, which nobody else is to hear of. */
function takes(guard: Guard, event: unknown, [first, second]: readonly unknown[]): boolean {
  switch (event) {
    case 'unhandledRejection':
      if (!takesError(guard, first)) return false;
      remember(guard, second);
      tell(guard, first);
      return true;
    case 'uncaughtException':
      if (!takesError(guard, first)) return false;
      tell(guard, first);
      return true;
    // Emitted before the exception itself, to those who report it.
    case 'uncaughtExceptionMonitor':
      return takesError(guard, first);
    // Somebody has caught it after all: nobody has heard that it was not handled.
    case 'rejectionHandled':
      return isObject(first) && guard.taken.has(first);
    default:
      return false;
  }
}

function takesError(guard: Guard, error: unknown): boolean {
  const host = hostOf();
  if (host === undefined || !canTake(host)) return false;
  // With `--unhandled-rejections=strict` Node asks twice, the second time without its asynchronous context.
  return (isObject(error) && guard.taken.has(error)) || isOwn(error);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function remember(guard: Guard, value: unknown): boolean {
  if (!isObject(value) || guard.taken.has(value)) return false;
  guard.taken.add(value);
  return true;
}

function tell(guard: Guard, error: unknown): void {
  if (!remember(guard, error)) return;
  runtime.board.hooks.errorGuarded?.({ error });
  if (guard.said) return;
  guard.said = true;
  try {
    diag.warn(
      'curfew: nobody handled the error of a call that was cancelled with its request; taken, where Node would have ' +
        'ended the process (said once, counted as curfew.sdk.guarded; CURFEW_GUARD=0 leaves calls and errors alone)',
    );
  } catch {
    // A logger that throws would be the end of the process after all.
  }
}
