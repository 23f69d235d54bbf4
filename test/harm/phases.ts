import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Call } from './client';
import { within, type Program, type Pulse } from './program';
import type { Upstream } from './upstream';

/** What is done to a program: one column of the table. */
export interface Phase {
  readonly name: string;
  /** What the handler is asked for: it waits, it streams, or it works on after its answer. */
  readonly kind: 'hold' | 'stream' | 'after';
  readonly hangUp?: 'before' | 'mid' | 'after';
  /** The budget that the client sends, in milliseconds. */
  readonly header?: string;
  /** The limit is the server's own, which is set for the whole process. */
  readonly ownLimit?: true;
}

export const OWN_LIMIT_MS = 50;

export const PHASES: readonly Phase[] = [
  { name: 'hang-up before the head', kind: 'hold', hangUp: 'before' },
  { name: 'hang-up in the body', kind: 'stream', hangUp: 'mid' },
  { name: 'hang-up after the answer', kind: 'after', hangUp: 'after' },
  { name: 'budget 0', kind: 'hold', header: '0' },
  { name: 'budget 1', kind: 'hold', header: '1' },
  { name: 'budget 50', kind: 'hold', header: '50' },
  { name: 'budget 50 after the head', kind: 'stream', header: '50' },
  { name: 'own limit', kind: 'hold', ownLimit: true },
  { name: 'own limit after the head', kind: 'stream', ownLimit: true },
];

export const hasDeadline = (phase: Phase): boolean => phase.hangUp === undefined;

/** Who is told what, and what is expected of whom. */
export interface Stage {
  readonly program: Program;
  readonly upstream: Upstream;
  /** Whether deadlines are carried out here, so that the answer comes before the upstream's. */
  readonly enforces: boolean;
  /** Whether work after the answer can be seen at the upstream; a proxy has none. */
  readonly worksAfter: boolean;
}

/** Bounds what must happen; only a defect takes that long. */
const LIMIT_MS = 8_000;

/** More than any handler here keeps the loop for. */
const STARVED_MS = 1_000;

/** Does it, and returns the answer that the client had, if it stayed for one. */
export async function perform(phase: Phase, style: string, stage: Stage): Promise<Answer | undefined> {
  const { program, upstream, worksAfter } = stage;
  const key = await upstream.take();
  const kind = phase.kind === 'after' && !worksAfter ? 'quick' : phase.kind;
  const headers = phase.header === undefined ? undefined : { 'x-request-timeout-ms': phase.header };
  const call = program.call(`/${style}/${kind}/${key}`, headers);
  const answer = await (phase.hangUp === undefined
    ? outlast(call, key, stage)
    : leave(phase, call, key, stage));
  await upstream.release(key);
  if (phase.hangUp === undefined) {
    const last = answer ?? (await within(LIMIT_MS, 'answer', call.answer));
    await settled(program);
    return last;
  }
  await settled(program);
  return answer;
}

/** Hangs up at the phase's point, and waits until the program has noticed. */
async function leave(
  { hangUp }: Phase,
  call: Call,
  key: string,
  { upstream, program, worksAfter }: Stage,
): Promise<Answer | undefined> {
  const arrived = Promise.race([upstream.seen(key), call.answer]);
  if (hangUp === 'before') await within(LIMIT_MS, 'call of the upstream', arrived);
  if (hangUp === 'mid') await within(LIMIT_MS, 'first bytes', call.begun);
  if (hangUp !== 'after') {
    call.hangUp();
    await pulseUntil(program, 'end of the response', ({ open }) => open === 0);
    return undefined;
  }
  const answer = await within(LIMIT_MS, 'answer', call.answer);
  if (worksAfter) await within(LIMIT_MS, 'call of the upstream', upstream.seen(key));
  call.hangUp();
  return answer;
}

/** Waits for the deadline to pass: for the answer where it is carried out, for a while where it is not. */
async function outlast(
  call: Call,
  key: string,
  { upstream, program, enforces }: Stage,
): Promise<Answer | undefined> {
  if (enforces) {
    const answer = await within(LIMIT_MS, 'answer at the deadline', call.answer);
    // Its calls are ended a turn later; one that has its answer by then would fail in no way, or in another.
    await pulseUntil(program, 'end of the response', ({ open }) => open === 0);
    return answer;
  }
  await within(LIMIT_MS, 'call of the upstream', Promise.race([upstream.seen(key), call.answer]));
  await sleep(2 * OWN_LIMIT_MS);
  return undefined;
}

/** What the phase set off has come to its end: handlers have settled, and the loop has turned since. */
async function settled(program: Program): Promise<void> {
  await pulseUntil(program, 'end of the handlers', ({ busy }) => busy === 0);
  await program.pulse();
}

async function pulseUntil(program: Program, what: string, reached: (pulse: Pulse) => boolean): Promise<void> {
  const limit = performance.now() + LIMIT_MS;
  for (;;) {
    const pulse = await program.pulse();
    if (pulse.gap > STARVED_MS) throw new Error(`no heartbeat within ${STARVED_MS} ms of work`);
    if (reached(pulse)) return;
    if (performance.now() > limit) throw new Error(`no ${what} within ${LIMIT_MS} ms`);
    await sleep(5);
  }
}
