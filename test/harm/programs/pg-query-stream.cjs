const { Transform } = require('node:stream');
const { Pool } = require('pg');
const QueryStream = require('pg-query-stream');
const { http, routes, serve } = require('./service.cjs');

const pool = new Pool({ connectionString: process.env.UPSTREAM, max: 40 });
pool.on('error', () => {});

/** As its README shows: piped, and the client released at the end. Rows come slowly, 200 ms in all. */
const through = async ({ key, kind, caught }, res) => {
  const client = await pool.connect();
  const first = kind === 'stream' ? '' : `select pg_advisory_xact_lock_shared(${key.slice(1)}) union all `;
  const text = `${first} select pg_sleep(0.002) from generate_series(1, 100) /* ${key} */`;
  const stream = client.query(new QueryStream(text, [], { batchSize: 2 }));
  stream.on('end', () => client.release());
  if (caught) {
    stream.on('error', (error) => {
      client.release(error);
      res.destroy();
    });
  }
  const lines = new Transform({ objectMode: true, transform: (row, _, done) => done(null, 'x') });
  stream.pipe(lines).pipe(res);
};

serve(http.createServer(routes({ hold: through, stream: through })));
