// Tests run against the built packages, as a user gets them; only the tests themselves are transformed.
/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/packages', '<rootDir>/test'],
  testMatch: ['**/test/**/*.test.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    '/dist/',
    '/test/stack/',
    '/test/compatibility/otel-3',
    '/test/harm/',
  ],
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/.*package.json'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  // The context tree keeps its clock in a global, which an unref'd timer may still read after a file's last test.
  testEnvironmentOptions: { globalsCleanup: 'off' },
  testTimeout: 30_000,
};
