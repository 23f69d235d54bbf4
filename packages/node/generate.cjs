// Writes the table of environment variables into the README. Run `npm run build` before.
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { settingsTable } = require('./dist/settings/table.js');

const file = join(__dirname, 'README.md');
const marked = /(<!-- settings -->\n\n)[^]*?(\n*<!-- \/settings -->)/;
writeFileSync(
  file,
  readFileSync(file, 'utf8').replace(
    marked,
    (_all, start) => `${start}${settingsTable()}\n\n<!-- /settings -->`,
  ),
);
