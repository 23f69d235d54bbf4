// `@curfew/context/spi` speaks to three audiences, each from a file of its own. An adapter that reads what is there for
// telemetry knows how a node is made, and would have to change with it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { shown, sourcesOf } from './workspace.mjs';

const ADAPTERS = ['propagation', 'http', 'rpc', 'pg'];
const SPI = '@curfew/context/spi';

export function checkAudience(root, { folder, dir }) {
  if (!ADAPTERS.includes(folder)) return [];
  const ours = exportedBy(root, 'adapters');
  const theirs = exportedBy(root, 'telemetry').filter((name) => !ours.includes(name));
  return sourcesOf(dir).flatMap((file) =>
    namesFrom(SPI, file)
      .filter((name) => name === '*' || theirs.includes(name))
      .map((name) =>
        name === '*'
          ? `${shown(root, file)}: '${SPI}': an adapter imports by name`
          : `${shown(root, file)}: '${SPI}': ${name} is there for telemetry, not for adapters`,
      ),
  );
}

/** The names that one audience's file exports; none where there is no such file. */
function exportedBy(root, audience) {
  const file = join(root, 'packages', 'context', 'src', 'spi', `${audience}.ts`);
  if (!existsSync(file)) return [];
  return parse(file).statements.flatMap((it) => {
    if (ts.isExportDeclaration(it)) return it.exportClause?.elements.map((each) => each.name.text) ?? [];
    if (!it.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) return [];
    return ts.isVariableStatement(it)
      ? it.declarationList.declarations.map((each) => each.name.text)
      : [it.name.text];
  });
}

/** What a file imports, or exports again, from a module; `*` where it takes everything. */
function namesFrom(module, file) {
  return parse(file).statements.flatMap((it) => {
    if (it.moduleSpecifier?.text !== module) return [];
    const bindings = ts.isImportDeclaration(it) ? it.importClause?.namedBindings : it.exportClause;
    return bindings?.elements?.map((each) => (each.propertyName ?? each.name).text) ?? ['*'];
  });
}

function parse(file) {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
}
