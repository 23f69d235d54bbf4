// What the contenders share: the floor, an AbortController a level, and where results escape to.

/** Results go here, so that no engine can leave the work out. */
export const sink = { value: undefined };

// The floor: the least work by hand. A small object in an intrusive list, taken out again.
export function floorNode(parent) {
  const node = { parent, prev: parent.last, next: undefined, last: undefined, done: false };
  if (parent.last !== undefined) parent.last.next = node;
  parent.last = node;
  return node;
}
export function floorEnd(node) {
  node.done = true;
  const { parent, prev, next } = node;
  if (prev !== undefined) prev.next = next;
  if (next !== undefined) next.prev = prev;
  else parent.last = prev;
}
export function floorCancel(node) {
  const cancel = () => floorEnd(node);
  cancel[Symbol.dispose] = cancel;
  return cancel;
}
export const floorRoot = () => ({
  parent: undefined,
  prev: undefined,
  next: undefined,
  last: undefined,
  done: false,
});

// By hand: an AbortController a level, which listens on its parent and stops listening when it ends.
export function byHand(parentSignal) {
  const controller = new AbortController();
  const follow = () => controller.abort(parentSignal.reason);
  parentSignal.addEventListener('abort', follow);
  return {
    signal: controller.signal,
    cancel() {
      parentSignal.removeEventListener('abort', follow);
      controller.abort('done');
    },
  };
}

export const noop = () => {};
/** Not for what is measured: a shared loop would not be inlined for each of its users. */
export const times = (count, fn) => {
  for (let index = 0; index < count; index++) fn(index);
};

/** A row whose set-up is not to be timed: tells its own nanoseconds. */
export function timed(count, fn) {
  const from = process.hrtime.bigint();
  fn();
  return { count, ns: Number(process.hrtime.bigint() - from) };
}
