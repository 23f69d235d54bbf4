const { Pool } = require('pg');
const { http, routes, serve } = require('./service.cjs');

const pool = new Pool({ connectionString: process.env.UPSTREAM, max: 20 });
pool.on('error', () => {});

/** Waits for the lock that the driver holds under the call's key. */
const query = ({ key }) => pool.query(`select pg_advisory_xact_lock_shared(${key.slice(1)}) /* ${key} */`);

serve(
  http.createServer(
    routes({
      async hold(call, res) {
        await query(call);
        res.end('held');
      },
      async stream(call, res) {
        res.write('head ');
        await query(call);
        res.end('held');
      },
      async after(call, res) {
        res.end('done');
        await query(call);
      },
    }),
  ),
);
