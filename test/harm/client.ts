import { request as httpRequest } from 'node:http';
import { connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';

export type Protocol = 'http' | 'https' | 'http2';

/** What came back. A response that was cut has a status and is not complete; no head at all has status 0. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly complete: boolean;
}

export interface Call {
  /** Resolves with the first bytes of the body, or when nothing will come. */
  readonly begun: Promise<void>;
  /** Resolves when it has ended, in whatever way. Never rejects. */
  readonly answer: Promise<Answer>;
  hangUp(): void;
}

/** A connection of its own for each call, so that hanging up says nothing of another. */
export function call(
  protocol: Protocol,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Call {
  return protocol === 'http2' ? callHttp2(port, path, headers) : callHttp1(protocol, port, path, headers);
}

/** Collects an answer as it comes. */
function arriving() {
  const so = { status: 0, headers: {} as Record<string, unknown>, body: '', complete: false };
  let begin = () => {};
  let end = (_: Answer) => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const answer = new Promise<Answer>((resolve) => (end = resolve));
  return {
    begun,
    answer,
    head: (status: number, headers: object) => Object.assign(so, { status, headers }),
    data(chunk: string) {
      so.body += chunk;
      begin();
    },
    finished(complete: boolean) {
      begin();
      end({ ...so, complete });
    },
  };
}

function callHttp1(
  protocol: 'http' | 'https',
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Call {
  const to = arriving();
  const options = { port, host: '127.0.0.1', path, headers, agent: false, rejectUnauthorized: false };
  let headed = false;
  const req = (protocol === 'https' ? httpsRequest : httpRequest)(options, (res) => {
    headed = true;
    to.head(res.statusCode ?? 0, res.headers);
    res.setEncoding('utf8').on('data', to.data);
    res.on('error', () => {}).once('close', () => to.finished(res.complete));
  });
  req
    .on('error', () => {})
    .once('close', () => {
      if (!headed) to.finished(false);
    });
  req.end();
  return { begun: to.begun, answer: to.answer, hangUp: () => req.destroy() };
}

function callHttp2(port: number, path: string, headers: Readonly<Record<string, string>>): Call {
  const to = arriving();
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const req = session.request({ ':path': path, ...headers });
  let ended = false;
  req.once('response', (head) => to.head(head[':status'] ?? 0, head));
  req.setEncoding('utf8').on('data', to.data);
  req.once('end', () => (ended = true));
  req
    .on('error', () => {})
    .once('close', () => {
      to.finished(ended && req.rstCode === 0);
      session.destroy();
    });
  req.end();
  return { begun: to.begun, answer: to.answer, hangUp: () => session.destroy() };
}
