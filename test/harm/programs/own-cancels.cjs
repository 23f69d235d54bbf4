// What the program itself says of its contexts holds with Curfew switched on, without, and under the kill switch.
const { active, background, group, scope, sleep, withCancel, withTimeout } = require('@curfew/context');
const { http, routes, serve } = require('./service.cjs');

const ended = (ctx) => `${ctx.err()?.name}: ${ctx.cause()?.message}`;

async function said() {
  const [canceled, cancel] = withCancel(active());
  cancel(new Error('enough'));
  const [late] = withTimeout(active(), 5);
  await sleep(background(), 20);
  const scoped = await scope({ timeout: 5 }, (ctx) => sleep(ctx, 10_000)).catch((error) => error.name);
  const [work, shared] = group(active());
  work.go(() => Promise.reject(new Error('first')));
  work.go((ctx) => sleep(ctx, 10_000));
  const first = await work.wait().catch((error) => error.message);
  return [ended(canceled), ended(late), scoped, first, ended(shared)].join('\n');
}

serve(
  http.createServer(
    routes({
      async hold(_, res) {
        res.end(await said());
      },
    }),
  ),
);
