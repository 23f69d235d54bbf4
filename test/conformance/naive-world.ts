import { causeName, KEYS, SIGNALS, type Derived, type Tell, type World } from './world';

// The rules of the tree once more, written for nothing but to be obviously right: arrays, recursion, and a walk up
// to the root for every question.

type Reason = 'canceled' | 'deadline_exceeded';

interface End {
  readonly outcome: 'completed' | Reason;
  readonly origin: string;
  readonly cause: unknown;
  readonly retired: boolean;
}

interface Listener {
  pending: boolean;
  readonly when: 'now' | 'later';
  readonly fn: () => void;
}

interface Deadline {
  readonly at: number;
  readonly cause: string | undefined;
  /** Its place among equal ones; `undefined` while an earlier deadline above covers it. */
  order: number | undefined;
}

interface Node {
  readonly name: string;
  parent: Node | undefined;
  children: Node[];
  end: End | undefined;
  deadline: Deadline | undefined;
  /** The earliest deadline on its path when it ended. */
  frozen: number | undefined;
  listeners: Listener[];
  /** What is merged with it and has its deadline. */
  followers: Node[];
  /** Listeners of the signal, once it was read. */
  abortListeners: (() => void)[] | undefined;
  aborted: boolean;
  unlink: () => void;
}

interface Signal {
  aborted: boolean;
  reason: unknown;
  linked: Node[];
}

export interface NaiveContext {
  readonly node: Node | undefined;
  readonly values: ReadonlyMap<string, unknown>;
}

/** The node and its descendants, in pre-order. */
const subtree = (node: Node): Node[] => [node, ...node.children.flatMap(subtree)];

/** The deadlines on the path of a node that has not ended, the topmost first. */
function path(node: Node): { node: Node; deadline: Deadline }[] {
  const above = node.parent === undefined ? [] : path(node.parent);
  return node.deadline === undefined ? above : [...above, { node, deadline: node.deadline }];
}

/** The earliest of them; of equal ones, the topmost. */
const earliest = (node: Node) =>
  path(node).reduce<ReturnType<typeof path>[number] | undefined>(
    (least, each) => (least === undefined || each.deadline.at < least.deadline.at ? each : least),
    undefined,
  );

const without = <T>(list: T[], item: T) => list.filter((each) => each !== item);

export function createNaive(tell: Tell): World<NaiveContext> {
  let now = 0;
  let order = 0;
  let all: Node[] = [];
  const waiting: (() => void)[] = [];
  /** Followers that are still to take what the one that they follow has now. */
  const behind: { follower: Node; up: Node }[] = [];
  const signals = Array.from({ length: SIGNALS }, (): Signal => ({
    aborted: false,
    reason: undefined,
    linked: [],
  }));

  function settle(node: Node): void {
    const due = node.end === undefined ? earliest(node) : undefined;
    if (due !== undefined && now >= due.deadline.at) expire(due.node);
  }

  function expire(node: Node): void {
    finish(node, 'deadline_exceeded', 'deadline', node.deadline?.cause);
  }

  function finish(root: Node, outcome: End['outcome'], origin: string, cause: unknown): void {
    const end: End = { outcome, origin, cause, retired: false };
    const reached = subtree(root);
    for (const node of reached) node.frozen = earliest(node)?.deadline.at;
    for (const node of reached) leave(node, end);
    for (const node of reached) tell(`end ${node.name} ${outcome} ${node === root ? origin : 'parent'}`);
    for (const node of reached) if (node.abortListeners !== undefined) abort(node);
    for (const node of reached) notify(node);
  }

  function leave(node: Node, end: End): void {
    node.end = end;
    node.children = [];
    if (node.parent !== undefined) node.parent.children = without(node.parent.children, node);
    all = without(all, node);
    node.unlink();
  }

  function abort(node: Node): void {
    if (node.aborted) return;
    node.aborted = true;
    for (const fn of node.abortListeners ?? []) fn();
  }

  function notify(node: Node): void {
    const { listeners } = node;
    node.listeners = [];
    for (const listener of listeners) {
      if (!listener.pending) continue;
      listener.pending = false;
      if (listener.when === 'now') listener.fn();
      else waiting.push(listener.fn);
    }
  }

  function cancel(node: Node, outcome: End['outcome'], origin: string, cause: unknown): void {
    settle(node);
    if (node.end === undefined) finish(node, outcome, origin, cause);
  }

  function derive({ node: parent, values }: NaiveContext, name: string): { ctx: NaiveContext; node: Node } {
    if (parent !== undefined) settle(parent);
    const under = parent?.end?.retired === true ? undefined : parent;
    const node: Node = {
      name,
      parent: under?.end === undefined ? under : undefined,
      children: [],
      end: under?.end,
      deadline: undefined,
      frozen: under?.frozen,
      listeners: [],
      followers: [],
      abortListeners: undefined,
      aborted: false,
      unlink: () => undefined,
    };
    if (node.end === undefined) {
      node.parent?.children.push(node);
      all.push(node);
      tell(`start ${name}`);
    }
    return { ctx: { node, values }, node };
  }

  function limit(node: Node, at: number, cause: string | undefined): void {
    if (node.end !== undefined || at === Infinity) return;
    const above = earliest(node);
    node.deadline = { at, cause, order: undefined };
    if (above !== undefined && above.deadline.at <= at) return;
    if (at <= now) expire(node);
    else node.deadline.order = order++;
  }

  /** After a change above them: deadlines that were covered may count again, and followers take what there is now. */
  function uncover(nodes: Node[], former: (Deadline | undefined)[]): void {
    nodes.forEach((node, index) => {
      const least = earliest(node)?.deadline;
      if (least !== undefined && least === node.deadline) least.order ??= order++;
      if (least !== former[index]) tellFollowers(node);
    });
  }

  /** A follower that is to take already takes once. */
  function tellFollowers(up: Node): void {
    for (const follower of up.followers) {
      if (!behind.some((each) => each.follower === follower)) behind.push({ follower, up });
    }
  }

  /** Followers take one after the other, theirs after them, and all of them before anybody can look. */
  function catchUp(): void {
    for (let next = behind.shift(); next !== undefined; next = behind.shift()) take(next.follower, next.up);
  }

  /** Gives a node the earliest deadline of the one that it follows, in place of the one that it had. */
  function take(node: Node, up: Node): void {
    if (node.end !== undefined) return;
    const nodes = subtree(node);
    const former = nodes.map((below) => earliest(below)?.deadline);
    const until = up.end === undefined ? earliest(up)?.deadline : undefined;
    node.deadline = until && { ...until, order: undefined };
    uncover(nodes, former);
  }

  function listen(node: Node, when: Listener['when'], fn: () => void): () => boolean {
    settle(node);
    const listener = { pending: true, when, fn };
    if (node.end === undefined) node.listeners.push(listener);
    else if (!node.end.retired) {
      listener.pending = false;
      waiting.push(fn);
    }
    return () => {
      const stopped = listener.pending;
      listener.pending = false;
      return stopped;
    };
  }

  function endAs(node: Node, end: End): void {
    if (!end.retired)
      cancel(node, end.outcome, end.outcome === 'completed' ? 'caller' : end.origin, end.cause);
  }

  const handle = ({ ctx, node }: { ctx: NaiveContext; node: Node }): Derived<NaiveContext> => ({
    ctx,
    cancel: (cause) => cancel(node, cause === undefined ? 'completed' : 'canceled', 'caller', cause),
  });

  return {
    root: { node: undefined, values: new Map() },
    withCancel: (parent, name) => handle(derive(parent, name)),
    withTimeout(parent, ms, name) {
      const made = derive(parent, name);
      limit(made.node, now + ms, `late ${name}`);
      return handle(made);
    },
    withSignal(parent, index, name) {
      const made = derive(parent, name);
      const signal = signals[index] as Signal;
      if (made.node.end !== undefined) return handle(made);
      if (signal.aborted) endBySignal(made.node, signal.reason);
      else {
        signal.linked.push(made.node);
        made.node.unlink = () => (signal.linked = without(signal.linked, made.node));
      }
      return handle(made);
    },
    merge(values, other, name) {
      const up = other.node;
      const made = derive(values, name);
      if (up === undefined) return handle(made);
      settle(up);
      if (up.end !== undefined) endAs(made.node, up.end);
      else if (made.node.end === undefined) {
        const stop = listen(up, 'now', () => endAs(made.node, up.end as End));
        up.followers.push(made.node);
        made.node.unlink = () => {
          stop();
          up.followers = without(up.followers, made.node);
        };
        take(made.node, up);
      }
      return handle(made);
    },
    withValue: ({ node, values }, key, value) => ({ node, values: new Map(values).set(key, value) }),
    withoutCancel: ({ values }) => ({ node: undefined, values }),
    retire({ node }) {
      if (node === undefined) return;
      settle(node);
      if (node.end !== undefined) return;
      const { children } = node;
      const nodes = children.flatMap(subtree);
      const former = nodes.map((below) => earliest(below)?.deadline);
      leave(node, { outcome: 'completed', origin: 'caller', cause: undefined, retired: true });
      tellFollowers(node);
      for (const child of children) child.parent = undefined;
      uncover(nodes, former);
      tell(`end ${node.name} completed caller`);
      catchUp();
    },
    abort(index, reason) {
      const signal = signals[index] as Signal;
      if (signal.aborted) return;
      signal.aborted = true;
      signal.reason = reason;
      for (const node of signal.linked) if (signal.linked.includes(node)) endBySignal(node, reason);
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const [next] = all
          .filter(({ deadline }) => deadline?.order !== undefined && deadline.at <= Math.max(until, now))
          .sort((a, b) => a.deadline!.at - b.deadline!.at || a.deadline!.order! - b.deadline!.order!);
        if (next === undefined) break;
        now = Math.max(now, next.deadline!.at);
        expire(next);
      }
      now = Math.max(now, until);
    },
    block: (ms) => void (now += ms),
    listen({ node }, when, fn) {
      if (node !== undefined) return listen(node, when, fn);
      let stopped = false;
      return () => !stopped && (stopped = true);
    },
    onAbort({ node }, fn) {
      if (node === undefined) return;
      look(node);
      if (!node.aborted) node.abortListeners?.push(fn);
    },
    aborted: ({ node }) => node && look(node),
    ask({ node, values }) {
      if (node !== undefined) settle(node);
      const end = node?.end?.retired === true ? undefined : node?.end;
      const at = node?.end === undefined ? node && earliest(node)?.deadline.at : node.frozen;
      return {
        reason: end?.outcome === 'completed' ? 'canceled' : end?.outcome,
        error: end,
        cause: causeName(end && (end.cause ?? end), end),
        remaining: at === undefined ? Infinity : Math.max(0, at - now),
        values: KEYS.map((key) => values.get(key)),
      };
    },
    drain() {
      for (let fn = waiting.shift(); fn !== undefined; fn = waiting.shift()) fn();
      return Promise.resolve();
    },
    close: () => undefined,
  };

  function endBySignal(node: Node, reason: unknown): void {
    const timeout = (reason as { name?: string }).name === 'TimeoutError';
    cancel(node, timeout ? 'deadline_exceeded' : 'canceled', 'signal', reason);
  }

  /** Reads the signal: one of a node that has ended is aborted by that at the latest. */
  function look(node: Node): boolean {
    node.abortListeners ??= [];
    settle(node);
    if (node.end !== undefined && !node.end.retired) abort(node);
    return node.aborted;
  }
}
