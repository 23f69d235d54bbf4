// Sums up Jest's JSON reports in one line that a reader, or a program, finds at the end of a long log.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { readJson } from './workspace.mjs';

let passed = 0;
let failed = 0;
for (const report of process.argv.slice(2)) {
  if (!existsSync(report)) {
    console.log(`${basename(report)}: no report, the run did not get that far`);
    failed += 1;
    continue;
  }
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = readJson(report);
  // A file that does not load has no test that could fail.
  const broken = testResults.filter(
    (it) => it.status === 'failed' && it.assertionResults.length === 0,
  ).length;
  console.log(
    `${basename(report)}: ${numPassedTests} passed, ${numFailedTests + broken} failed, ${numPendingTests} skipped`,
  );
  passed += numPassedTests;
  failed += numFailedTests + broken;
}
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
