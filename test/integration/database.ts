import { watchActivity } from '../../packages/demo/src/board/activity';

/** What PostgreSQL itself says it is doing: the witness that does not come from the code under test. */
export interface Database {
  /** Resolves once a query with this text in it was seen running. */
  seen(text: string): Promise<void>;
  forget(text: string): void;
  /** Resolves once no query runs. */
  idle(): Promise<void>;
  end(): Promise<void>;
}

const EVERY_MS = 5;

/** One look serves everybody who waits: a look for each would be the heaviest load on the machine. */
export async function lookInto(connectionString: string): Promise<Database> {
  const activity = await watchActivity(connectionString);
  const awaited = new Map<string, () => void>();
  let idlers: (() => void)[] = [];
  let ended = false;
  const look = async () => {
    const asking = [...idlers];
    const running = await activity.running();
    for (const [text, resolve] of awaited) if (running.some((query) => query.includes(text))) resolve();
    if (running.length > 0) return;
    idlers = idlers.filter((resolve) => !asking.includes(resolve));
    for (const resolve of asking) resolve();
  };
  const watching = (async () => {
    while (!ended) {
      if (awaited.size > 0 || idlers.length > 0) await look();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return {
    seen: (text) => new Promise((resolve) => awaited.set(text, resolve)),
    forget: (text) => void awaited.delete(text),
    idle: () => new Promise((resolve) => idlers.push(resolve)),
    async end() {
      ended = true;
      await watching;
      await activity.end();
    },
  };
}
