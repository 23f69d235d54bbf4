import { clients, send } from './clients/client';
import { live, numberFrom } from './lifeline';
import { MIX, SCENARIOS, type Scenario } from './clients/scenarios';
import { NO_REQUESTS, withFate, withSent, type Tally } from './clients/tally';

/** What the traffic tells whoever started it, twice a second and at its end. */
export interface TallyMessage {
  readonly tally: Tally;
}

/** A job is started every so often whatever the rate is: each lingers for good. */
const REPORT_EVERY_MS = 10_000;
const TELL_EVERY_MS = 500;

/** Requests sent one by one before the mix, while connections open and code is compiled. */
const WARM_UP = 20;

async function warmUp(gateway: string): Promise<Tally> {
  let tally = NO_REQUESTS;
  for (let id = 0; id < WARM_UP; id++) {
    const { fate } = await send(gateway, SCENARIOS.finish, id);
    tally = withFate(withSent(tally), fate);
  }
  return tally;
}

/** Sends the mix at a steady rate until it is stopped; then waits for what is under way. */
function drive(gateway: string, rate: number, before: Tally): () => Promise<void> {
  let tally = before;
  let next = 0;
  const underWay = new Set<Promise<void>>();
  const fire = (scenario: Scenario) => {
    tally = withSent(tally);
    const request = send(gateway, scenario, next).then(({ fate }) => {
      tally = withFate(tally, fate);
      underWay.delete(request);
    });
    underWay.add(request);
  };
  // Timers come late; what is due by the clock is sent, so that the rate holds.
  const begun = performance.now();
  const pump = () => {
    for (const due = ((performance.now() - begun) / 1000) * rate; next < due; next++) {
      fire(MIX[next % MIX.length] as Scenario);
    }
  };
  const tell = () => {
    if (process.connected) process.send?.({ tally } satisfies TallyMessage);
  };
  const timers = [
    setInterval(pump, Math.max(2, 500 / rate)),
    setInterval(() => fire(SCENARIOS.report), REPORT_EVERY_MS),
    setInterval(tell, TELL_EVERY_MS),
  ];
  fire(SCENARIOS.report);
  return async () => {
    timers.forEach(clearInterval);
    await Promise.all(underWay);
    tell();
    clients.destroy();
  };
}

void live(async () => {
  const gateway = process.env.UPSTREAM_URL ?? 'http://127.0.0.1:8080';
  const rate = numberFrom('RATE', 20);
  return { address: gateway, end: drive(gateway, rate, await warmUp(gateway)) };
});
