import { spawn } from 'node:child_process';
import { join } from 'node:path';

test('in 1,000 rounds of a shared pool nothing ends with a context that it was not called under', async () => {
  // `npm run chaos:pool` is the long form.
  const args = ['--no-deprecation', join(__dirname, 'pool-chaos.mjs'), '1000'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  // The seed, and what failed.
  expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('"failures":0') });
  const { rounds, cancelled, waited } = JSON.parse(said) as Record<string, number>;
  expect(rounds).toBe(1_000);
  // It was a chaos: many were cancelled, and many who had nothing to do with it waited for their clients.
  expect(cancelled).toBeGreaterThan(100);
  expect(waited).toBeGreaterThan(100);
}, 120_000);
