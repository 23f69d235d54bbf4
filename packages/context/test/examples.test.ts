import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

// Every ```ts fence of the sources' comments and of the README is compiled and run against the built package.
// `expression; // => value` asserts that the two are deeply equal; a ```text fence that follows is what it prints.

const PACKAGE = join(__dirname, '..');
const SOURCES = readdirSync(join(PACKAGE, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(PACKAGE, 'src', name));

interface Example {
  readonly name: string;
  readonly code: string;
  readonly output: string | undefined;
}

const FENCE = /^```ts\n([\s\S]*?)^```(?:\n\n```text\n([\s\S]*?)^```)?/gm;

function examplesIn(file: string): Example[] {
  const text = readFileSync(file, 'utf8');
  // In a comment, each line of an example begins with an asterisk.
  const plain = file.endsWith('.ts') ? text.replace(/^ *\* ?/gm, '') : text;
  return [...plain.matchAll(FENCE)].map(([, code = '', output], index) => ({
    name: `${file.slice(PACKAGE.length + 1)} ${index + 1}`,
    code,
    output,
  }));
}

const examples = [...SOURCES, join(PACKAGE, 'README.md')].flatMap(examplesIn);

/** Turns each `expression; // => value` into a call of `check`; also says how many there are. */
function instrument(code: string): { script: string; assertions: number } {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2022, true);
  const edits: { from: number; to: number; text: string }[] = [];
  const visit = (node: ts.Node): void => {
    const value = /^[ \t]*\/\/ => (.+)/.exec(code.slice(node.getEnd()))?.[1];
    if (ts.isExpressionStatement(node) && value !== undefined) {
      const text = `check((${node.expression.getText()}), (${value}), ${edits.length});`;
      edits.push({ from: node.getStart(), to: node.getEnd(), text });
    } else ts.forEachChild(node, visit);
  };
  visit(source);
  let script = code;
  for (const { from, to, text } of edits.reverse()) script = script.slice(0, from) + text + script.slice(to);
  const compiled = ts.transpileModule(script, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS },
  });
  return { script: compiled.outputText, assertions: edits.length };
}

const AsyncFunction = (async () => undefined).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<void>;

describe('examples', () => {
  beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());

  test.each(examples)('$name does what it says', async ({ code, output }) => {
    const { script, assertions } = instrument(code);
    const checked = new Set<number>();
    const lines: string[] = [];
    const check = (actual: unknown, expected: unknown, index: number) => {
      checked.add(index);
      expect(actual).toEqual(expected);
    };
    const print = { log: (...args: unknown[]) => void lines.push(args.map(String).join(' ')) };
    const run = new AsyncFunction('require', 'exports', 'check', 'console', script);
    await run(require, {}, check, print);
    expect(checked.size).toBe(assertions);
    expect(assertions > 0 || output !== undefined).toBe(true);
    if (output !== undefined) expect(`${lines.join('\n')}\n`).toBe(output);
  });

  test('all compile under the strictest settings', () => {
    const files = new Map(examples.map(({ code }, index) => [join(__dirname, `example-${index}.mts`), code]));
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      skipLibCheck: true,
    };
    const host = ts.createCompilerHost(options);
    const { readFile, fileExists, getSourceFile } = host;
    host.readFile = (name) => files.get(name) ?? readFile(name);
    host.fileExists = (name) => files.has(name) || fileExists(name);
    host.getSourceFile = (name, language, ...rest) => {
      const code = files.get(name);
      return code === undefined
        ? getSourceFile(name, language, ...rest)
        : ts.createSourceFile(name, code, language);
    };
    const program = ts.createProgram([...files.keys()], options, host);
    const problems = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
      const index = [...files.keys()].indexOf(file?.fileName ?? '');
      return `${examples[index]?.name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    expect(problems).toEqual([]);
  });
});

/** What a statement of a source declares. */
function namesOf(statement: ts.Statement): string[] {
  const declarations: readonly ts.Node[] = ts.isVariableStatement(statement)
    ? statement.declarationList.declarations
    : [statement];
  return declarations.flatMap((declaration) => {
    const { name } = declaration as { readonly name?: ts.Node };
    return name === undefined ? [] : [name.getText()];
  });
}

/** The comment of each declaration that the sources export, by its name. */
const comments = new Map<string, string>();
for (const file of SOURCES) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  for (const statement of source.statements) {
    for (const name of namesOf(statement)) {
      const comment = ts.getJSDocCommentsAndTags(statement).map((doc) => doc.getText());
      // The first signature of an overloaded function carries the comment for all.
      if (comment.length > 0) comments.set(name, comment.join('\n'));
    }
  }
}

describe.each(['index', 'spi'])('%s.ts', (entry) => {
  const path = join(PACKAGE, 'src', `${entry}.ts`);
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const names = source.statements.flatMap((statement): string[] => {
    if (ts.isExportDeclaration(statement)) {
      const clause = statement.exportClause as ts.NamedExports;
      return clause.elements.map(({ name }) => name.text);
    }
    const { modifiers } = statement as ts.FunctionDeclaration;
    const exported = modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
    return exported ? namesOf(statement) : [];
  });

  test('says of each export what it is', () => {
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !comments.has(name))).toEqual([]);
  });

  test('shows of each function an example, and of each that takes arguments what it throws', () => {
    const built = require(join(PACKAGE, 'dist', `${entry}.js`)) as Record<string, unknown>;
    const functions = Object.keys(built).filter((name) => typeof built[name] === 'function');
    expect(functions.filter((name) => comments.get(name)?.includes('```ts') !== true)).toEqual([]);
    const silent = functions.filter((name) => {
      const says = comments.get(name) ?? '';
      return (built[name] as () => void).length > 0 && !/@throws|@returns|[Nn]ever throws|Error/.test(says);
    });
    expect(silent).toEqual([]);
  });
});
