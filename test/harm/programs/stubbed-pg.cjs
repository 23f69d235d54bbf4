// What test runners and bundlers put in the place of `pg`.
const Module = require('node:module');
const path = require('node:path');
const fs = require('node:fs');

const STUBS = {
  empty: 'module.exports = {};',
  nothing: 'module.exports = undefined;',
  frozen: 'module.exports = Object.freeze({ Client: Object.freeze(class {}), Pool: class {} });',
  throwing: "module.exports = { get Client() { throw new Error('not here'); } };",
  function: 'module.exports = () => {};',
  text: "module.exports = 'pg';",
};
const stub = STUBS[process.env.STUB];
const dir = path.join(__dirname, `stub-${process.env.STUB}-${process.pid}`);
const folder = path.join(dir, 'node_modules', 'pg');
fs.mkdirSync(folder, { recursive: true });
fs.writeFileSync(path.join(folder, 'index.js'), stub);

const pg = Module.createRequire(path.join(dir, 'app.js'))('pg');
console.log(`the application has ${typeof pg}`);
