import { deviations } from './deviations';

type Claim = () => void | Promise<void>;

/**
 * One row of behaviours.md as a test, named by its id. For a row on the list of deviations the row as written must
 * fail, and `instead`, which shows what Curfew does, must pass.
 */
export function row(id: string, claim: string, asWritten: Claim, instead?: Claim): void {
  const reason = deviations[id];
  if ((reason === undefined) !== (instead === undefined)) {
    throw new Error(`${id}: a listed deviation, and nothing else, has a test of what holds instead`);
  }
  if (reason === undefined || instead === undefined) {
    test(`${id} ${claim}`, async () => asWritten());
    return;
  }
  test(`${id} deviates from: ${claim}`, async () => {
    const failure = await failureOf(asWritten);
    if (failure === undefined) throw new Error(`${id} passes as written: take it off the list of deviations`);
    // A test that is broken in another way shows no deviation.
    if (!('matcherResult' in failure)) throw failure;
  });
  test(`${id} instead: ${reason}`, async () => instead());
}

async function failureOf(claim: Claim): Promise<object | undefined> {
  try {
    await claim();
    return undefined;
  } catch (error) {
    return error as object;
  }
}
