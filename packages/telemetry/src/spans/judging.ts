import { SpanStatusCode, type Attributes, type Span, type SpanStatus } from '@opentelemetry/api';
import type { Aborts } from './aborts';
import { callApplication } from '../application-call';

// An instrumentation writes its verdict when the span ends, and what is written cannot be taken back: a status cannot
// return to UNSET, an attribute cannot be removed. So the writes themselves are filtered, on this one span, from the
// moment its context has ended.

type Value = Attributes[string];

interface Filter {
  /** What to write for an attribute; `undefined` for nothing. */
  attribute(key: string, value: Value): Value | undefined;
  status(status: SpanStatus): SpanStatus | undefined;
  exception(error: unknown): boolean;
  /** The span is about to end: the last chance to write on it. */
  ending?(write: Pick<Span, 'setAttribute' | 'setStatus'>): void;
}

function filterWrites(span: Span, filter: Filter): void {
  const setAttribute: Span['setAttribute'] = span.setAttribute.bind(span);
  const setStatus: Span['setStatus'] = span.setStatus.bind(span);
  const recordException: Span['recordException'] = span.recordException.bind(span);
  const end: Span['end'] = span.end.bind(span);
  span.setAttribute = (key, value) => {
    const kept = filter.attribute(key, value);
    return kept === undefined ? span : setAttribute(key, kept);
  };
  span.setAttributes = (attributes) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) span.setAttribute(key, value);
    }
    return span;
  };
  span.setStatus = (status) => {
    const kept = filter.status(status);
    return kept === undefined ? span : setStatus(kept);
  };
  span.recordException = (error, time) => {
    if (filter.exception(error)) recordException(error, time);
  };
  if (filter.ending === undefined) return;
  let over = false;
  span.end = (time) => {
    if (!over) callApplication(() => filter.ending?.({ setAttribute, setStatus }));
    over = true;
    end(time);
  };
}

const ERROR_TYPE = 'error.type';

/** Written by instrumentations of both generations of the semantic conventions. */
const STATUS_CODES = ['http.response.status_code', 'http.status_code'];

const TIMEOUT: SpanStatus = { code: SpanStatusCode.ERROR, message: 'context deadline exceeded' };

/** What is said of a span whose work was ended by a deadline. */
export function writeTimeout(span: Pick<Span, 'setAttribute' | 'setStatus'>): void {
  span.setStatus(TIMEOUT);
  span.setAttribute(ERROR_TYPE, 'timeout');
}

export interface Judgement {
  readonly aborts: Aborts;
  /** What an abort is: an error of type `timeout`, or none. */
  readonly verdict: 'timeout' | 'none';
  /** Whether the span is a server's, whose failures are the codes from 500 on that it sent. */
  readonly isServer: boolean;
  /** Whether no head was sent, and whatever status code is written is made up. */
  isUnsent(): boolean;
}

/**
 * Judges what is written of a failure from now on when the span ends, since one failure is told in three ways and in
 * any order: a type, a status, an exception. What is an abort's is an error by the verdict; any other failure, such as
 * a bug or an upstream's 500, is the work's own and stays as it is.
 */
export function judge(span: Span, { aborts, verdict, isServer, isUnsent }: Judgement): void {
  const types: Value[] = [];
  const statuses: SpanStatus[] = [];
  let failed = false;
  filterWrites(span, {
    attribute(key, value) {
      if (key === ERROR_TYPE) {
        types.push(value);
        return undefined;
      }
      if (!STATUS_CODES.includes(key)) return value;
      if (isUnsent()) {
        // What is said of it later, as a type, is made up as well.
        aborts.learn(String(value));
        return undefined;
      }
      if (isServer && Number(value) >= 500) failed = true;
      return value;
    },
    status(status) {
      if (status.code !== SpanStatusCode.ERROR) return status;
      statuses.push(status);
      return undefined;
    },
    exception(error) {
      if (aborts.isAbort(error)) return verdict === 'timeout';
      failed = true;
      return true;
    },
    ending(write) {
      const type = types.filter((each) => !aborts.names(each)).at(-1);
      const others = statuses.filter(({ message }) => !aborts.names(message));
      // One that says nothing of its own goes with what the others say.
      const status = others.filter(({ message }) => message !== undefined && message !== '').at(-1);
      failed ||= type !== undefined || status !== undefined;
      if (!failed && aborts.seen) {
        if (verdict === 'timeout') writeTimeout(write);
        return;
      }
      const kept = status ?? others.at(-1);
      if (kept !== undefined) write.setStatus(kept);
      if (type !== undefined) write.setAttribute(ERROR_TYPE, type);
    },
  });
}

/** A server's deadline is an error of type `timeout`, whatever number or class name the instrumentation knows it by. */
export function keepTimeout(span: Span, isUnsent: () => boolean): void {
  writeTimeout(span);
  filterWrites(span, {
    attribute(key, value) {
      if (key === ERROR_TYPE) return 'timeout';
      return STATUS_CODES.includes(key) && isUnsent() ? undefined : value;
    },
    status: () => undefined,
    exception: () => true,
  });
}
