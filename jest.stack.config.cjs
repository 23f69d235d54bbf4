// What needs more than Node: real servers, a browser, a Collector. Each test says so and skips where one is absent.
/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/stack'],
  testMatch: ['**/test/stack/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 120_000,
};
