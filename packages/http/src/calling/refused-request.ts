import type { Agent, ClientRequest, IncomingMessage, request, RequestOptions } from 'node:http';
import { FOLLOWING } from './outgoing-call';
import { abortError } from './request-call';

type Callback = (response: IncomingMessage) => void;

interface Parsed {
  readonly url: unknown;
  readonly options: RequestOptions | undefined;
  readonly callback: Callback | undefined;
}

/** The arguments of `http.request`, told apart as Node does. */
function parse([first, second, third]: readonly unknown[]): Parsed {
  const isUrl = typeof first === 'string' || isUrlLike(first);
  const given = isUrl ? second : first;
  return {
    url: isUrl ? first : undefined,
    options: typeof given === 'object' && given !== null ? given : undefined,
    callback: [second, third].find((arg) => typeof arg === 'function') as Callback | undefined,
  };
}

/** A URL of any realm or library; its members are getters. */
function isUrlLike(input: unknown): boolean {
  const { href, protocol, auth, path } = (input ?? {}) as Record<string, unknown>;
  return Boolean(href && protocol) && auth === undefined && path === undefined;
}

/** Whether these arguments are of a request that another copy refuses already. */
export function isRefusing(args: readonly unknown[]): boolean {
  const agent = parse(args).options?.agent as { [FOLLOWING]?: unknown } | false | null | undefined;
  return typeof agent === 'object' && agent !== null && agent[FOLLOWING] !== undefined;
}

/**
 * A request that fails without a connection, as one that could not connect would. The agent is the one place that can
 * keep it from being dialled, and from taking a kept-alive connection down with it; what Node reads of it, such as its
 * protocol, is that of the one the request would have had.
 *
 * It fails in a later turn of the loop: in a microtask, a program that tries again without a pause would starve.
 */
export function refuse(
  reason: Error,
  automatic: boolean,
  original: typeof request,
  self: unknown,
  args: readonly unknown[],
): ClientRequest {
  const { url, options, callback } = parse(args);
  const agent = Object.create(agentOf(options) ?? null, {
    [FOLLOWING]: { value: true },
    addRequest: {
      value: (request: ClientRequest & { onSocket(socket: null, error: Error): void }) => {
        setImmediate(() => {
          if (automatic && request.listenerCount('error') === 0) request.on('error', () => undefined);
          request.onSocket(null, abortError(reason));
        });
      },
    },
  }) as Agent;
  const refused: unknown[] = [{ ...options, agent }, callback];
  if (url !== undefined) refused.unshift(url);
  return Reflect.apply(original as (...args: unknown[]) => ClientRequest, self, refused);
}

/** The agent that was asked for; `undefined` for the module's own, whose protocol and port Node knows. */
function agentOf(options: RequestOptions | undefined): object | undefined {
  const agent: unknown = options?.agent;
  return typeof agent === 'object' && agent !== null ? agent : undefined;
}
