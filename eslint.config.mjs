import tseslint from 'typescript-eslint';

/** What keeps an API readable: every public name is listed where it is exported, under the name it has. */
const EXPLICIT_EXPORTS = [
  { selector: 'ExportAllDeclaration', message: 'List the exported names: `export *` hides what is public.' },
  { selector: 'ExportDefaultDeclaration', message: 'Export by name: a default export has no fixed name.' },
];

/** What is built is imported as users do, by the package's name; what that does not export, from its source. */
const NOT_BUILT = {
  // The demo's system and its processes start built programs that lie beside them.
  regex: '/dist/(?!(system|processes|fault|postgres|postgres-binaries)(\\.js)?$)',
  message: "Import a package by its name, or a file of it from 'src'.",
};

const TYPED = tseslint.configs.recommendedTypeChecked;

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', 'coverage/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['packages/*/{src,test,bench}/**/*.ts', 'test/**/*.ts'],
    extends: [TYPED],
    languageOptions: {
      parserOptions: {
        project: ['packages/*/tsconfig.json', 'tsconfig.test.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...EXPLICIT_EXPORTS],
      'object-shorthand': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Instrumentation takes methods off their objects on purpose, and puts them back.
      '@typescript-eslint/unbound-method': 'off',
      // It takes what is left of an `unknown` after narrowing for an object.
      '@typescript-eslint/no-base-to-string': 'off',
      // The reason of an abort may be anything by its specification, and a rejection passes on what it was given.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      // A function that a type asks to return a promise may have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    // Programs speak to people; so do tests that say why they were skipped.
    files: ['packages/{demo,dashboards}/src/**/*.ts', '**/{test,bench}/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // Tests hand over what the types forbid, and read JSON whose shape is the thing under test.
    files: ['packages/*/{test,bench}/**/*.ts', 'test/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [NOT_BUILT] }],
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-require-imports': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
);
