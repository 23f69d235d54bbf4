import {
  background,
  merge,
  onEnd,
  run,
  scope,
  todo,
  track,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  type Cancel,
  type CancelContext,
  type Context,
} from '@curfew/context';
import { beginOperation, end, hooks, retire, setEnforcement, withLimit } from '@curfew/context/spi';
import { ROOT_CONTEXT, SpanKind, type Tracer } from '@opentelemetry/api';
import type { ManualClock } from '../../../../test/manual-clock';
import { NEVER, type Act, type Ctx, type Foreign, type From, type Op } from './acts';
import { backendCancel, deadlineReceived } from '../adapters';

interface Made {
  readonly ctx: CancelContext;
  readonly cancel: Cancel | undefined;
}

interface Started {
  settle(): void;
}

const ctxOf = (ctx: Ctx) => (ctx.handle as Made).ctx;
const cancelOf = (ctx: Ctx) => (ctx.handle as Made).cancel;
const controllerOf = (signal: Foreign) => (signal.handle ??= new AbortController()) as AbortController;

/** Whether an act has an effect only after microtasks have run: what settles a promise. */
export function isLater(act: Act): boolean {
  return act.do === 'settle' && act.op.how !== 'operation' && act.op.how !== 'span';
}

/** Carries acts out with Curfew's public functions, as a service and its adapters would. */
export function createPerformer(clock: ManualClock, tracer: Tracer): (act: Act) => void {
  let restoreEnforcement: (() => void) | undefined;

  function parentOf(from: From): Context {
    if (from === 'background') return background();
    if (from === 'todo') return todo();
    return 'without' in from ? withoutCancel(ctxOf(from.without)) : ctxOf(from);
  }

  function derive({ made, from, ms, limit, signal, other }: Extract<Act, { do: 'derive' }>): void {
    const options = {
      ...(made.name === undefined ? {} : { name: made.name }),
      ...(made.longLived ? { longLived: true } : {}),
    };
    const parent = parentOf(from);
    const [ctx, cancel] =
      other !== undefined
        ? merge(parent, ctxOf(other), options)
        : signal !== undefined
          ? withSignal(parent, controllerOf(signal).signal, options)
          : ms === NEVER
            ? withCancel(parent, options)
            : limit === true
              ? withLimit(parent, ms, options)
              : withTimeout(parent, ms, options);
    made.handle = { ctx, cancel } satisfies Made;
  }

  function enterScope({ op, from, ms }: Extract<Act, { do: 'scope' }>): void {
    const { name } = op.ctx;
    const [wait, started] = gate();
    const options = { timeout: ms, ...(name === undefined ? {} : { name }) };
    const work = (ctx: CancelContext) => {
      op.ctx.handle = { ctx, cancel: undefined } satisfies Made;
      op.handle = started;
      return wait;
    };
    scope(parentOf(from), options, work).catch(() => undefined);
  }

  function begin(op: Op): void {
    const ctx = ctxOf(op.ctx);
    const { how, kind } = op;
    if (how === 'operation') {
      op.handle = beginOperation(ctx, { kind });
      return;
    }
    if (how === 'span') {
      const span = tracer.startSpan('work', { kind: spanKind(kind) }, ctx);
      op.handle = { settle: () => span.end() } satisfies Started;
      return;
    }
    const [wait, started] = gate();
    op.handle = started;
    if (how === 'track') {
      track(ctx, wait, { kind }).catch(() => undefined);
      return;
    }
    void run(ctx, { kind }, async () => {
      await wait.catch(() => undefined);
      op.last.forEach(perform);
    });
  }

  function perform(act: Act): void {
    switch (act.do) {
      case 'derive':
        derive(act);
        break;
      case 'brief':
        withCancel(parentOf(act.from), act.name === undefined ? {} : { name: act.name })[1]();
        break;
      case 'scope':
        enterScope(act);
        break;
      case 'cancel': {
        const cancel = cancelOf(act.ctx);
        if (cancel === undefined) end(ctxOf(act.ctx), { origin: 'caller', cause: 'chosen' });
        else cancel('chosen');
        break;
      }
      case 'end':
        end(ctxOf(act.ctx), {
          origin: act.origin,
          reason: /deadline/.test(act.origin) ? 'deadline_exceeded' : 'canceled',
          cause: new Error(act.origin),
          automatic: act.automatic,
        });
        break;
      case 'release':
        cancelOf(act.ctx)?.();
        break;
      case 'retire':
        retire(ctxOf(act.ctx));
        break;
      case 'check':
        ctxOf(act.ctx).err();
        break;
      case 'listen':
        // On a context that has ended, an `onEnd` would be called in a turn of its own.
        if (ctxOf(act.ctx).err() === undefined) onEnd(ctxOf(act.ctx), () => perform(act.act));
        break;
      case 'hear':
        ctxOf(act.ctx).signal.addEventListener('abort', () => perform(act.act));
        break;
      case 'follow':
        throw new Error('merge does it itself');
      case 'begin':
        begin(act.op);
        break;
      case 'settle':
        (act.op.handle as Started).settle();
        break;
      case 'run':
        run(ctxOf(act.op.ctx), { kind: act.op.kind }, () => act.acts.forEach(perform));
        break;
      case 'rootSpan':
        tracer.startSpan('root', { kind: spanKind(act.kind) }, ROOT_CONTEXT).end();
        break;
      case 'abort':
        controllerOf(act.signal).abort(
          act.signal.timeout ? new DOMException('late', 'TimeoutError') : new Error('stop'),
        );
        break;
      case 'advance':
        clock.advance(act.ms);
        break;
      case 'block':
        clock.block(act.ms);
        break;
      case 'enforce':
        restoreEnforcement?.();
        restoreEnforcement = act.on ? undefined : setEnforcement(false);
        break;
      case 'received':
        deadlineReceived.tell?.({ source: act.source, outcome: act.outcome, remaining: act.ms });
        break;
      case 'refused':
        hooks.callRefused?.({ source: act.source });
        break;
      case 'stopped':
        backendCancel.tell?.({ system: act.system, outcome: act.outcome, duration: act.ms });
        break;
      case 'guarded':
        hooks.errorGuarded?.({ error: new Error('aborted') });
        break;
      case 'cleaned':
        hooks.cleanupDone?.({ outcome: act.outcome, duration: act.ms });
        break;
    }
  }

  return perform;
}

/** A promise that waits until it is told: every other one is rejected, which settles work just the same. */
function gate(): [Promise<void>, Started] {
  let settle!: () => void;
  const wait = new Promise<void>((resolve, reject) => {
    settle = ++gates % 2 === 0 ? resolve : () => reject(new Error('failed'));
  });
  return [wait, { settle }];
}

let gates = 0;

const SPAN_KINDS: Readonly<Record<string, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const spanKind = (name: string) => SPAN_KINDS[name] ?? SpanKind.INTERNAL;
