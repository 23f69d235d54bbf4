// What needs more than Node: real servers, a browser, a Collector, another line of OpenTelemetry. Each test says so and
// skips where one is absent.
/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/stack', '<rootDir>/test/compatibility', '<rootDir>/test/harm'],
  testMatch: [
    '**/test/stack/**/*.test.ts',
    '**/test/compatibility/otel-3.test.ts',
    '**/test/harm/**/*.test.ts',
  ],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 120_000,
};
