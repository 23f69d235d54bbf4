// What is registered for the whole process, or put into every context, is shared by all installed copies of a package
// and by others that know its name. So each name stands in one table, docs/slots.md, with one owner, and says which
// version of its content it is: a copy that keeps something else under it takes another number.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';
import { main, packagesOf, shown, sourcesOf } from './workspace.mjs';

const TABLE = 'docs/slots.md';
const MAKERS = ['Symbol.for', 'createContextKey', 'globalSlot'];

/** `globalSlot` itself, whose callers write the name. */
const EXEMPT = 'global-slot.ts';

/** `@curfew/<package>.<what>.v<N>`; the version may be the protocol's. */
const OURS = /^@curfew\/([a-z-]+)\.[a-z-]+\.v(\d+|\$\{PROTOCOL\})$/;

export function checkSlots(root) {
  const rows = rowsOf(root);
  const packages = packagesOf(root).map((pkg) => ({ ...pkg, ...slotsOf(root, pkg) }));
  const slots = packages.flatMap((pkg) => pkg.slots);
  return [
    ...packages.flatMap((pkg) => pkg.problems),
    ...slots.flatMap((slot) => problemsWith(slot, rows)),
    ...rows.flatMap((row) => deadParts(row, slots, packages)),
    ...packages.flatMap((pkg) => unlistedReads(pkg, rows, slots)),
  ];
}

/** The rows of the table: name, owner, what it holds, who else reads it. */
function rowsOf(root) {
  const path = join(root, TABLE);
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, name, owner, , readers]) => ({
      name: name.replaceAll('`', ''),
      owner,
      readers: readers.split(', ').filter((it) => it !== ''),
    }));
}

/** What a package's sources register, with the constant that holds it. */
function slotsOf(root, { folder, dir }) {
  const slots = [];
  const problems = [];
  const words = new Set();
  for (const file of sourcesOf(dir)) {
    if (basename(file) === EXEMPT) continue;
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    const visit = (node) => {
      if (ts.isIdentifier(node)) words.add(node.text);
      if (ts.isCallExpression(node) && MAKERS.includes(node.expression.getText(source))) {
        const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
        const place = `${shown(root, file)}:${line}`;
        const name = nameIn(node, source);
        const constant = ts.isVariableDeclaration(node.parent) ? node.parent.name.getText(source) : undefined;
        if (name === undefined) problems.push(`${place}: the name of what it registers is not written out`);
        else slots.push({ name, constant, folder, place });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { slots, problems, words };
}

/** The name that a call registers, if it is written out; that of `globalSlot` with its version. */
function nameIn({ expression, arguments: [name, version] }, source) {
  if (name === undefined || !(ts.isStringLiteralLike(name) || ts.isTemplateExpression(name)))
    return undefined;
  const written = name.getText(source).slice(1, -1);
  if (expression.getText(source) !== 'globalSlot') return written;
  const number = version?.getText(source);
  return `${written}.v${number === 'PROTOCOL' ? '${PROTOCOL}' : number}`;
}

function problemsWith({ name, folder, place }, rows) {
  const row = rows.find((it) => it.name === name);
  if (row === undefined) return [`${place}: \`${name}\` is not in ${TABLE}`];
  const ours = OURS.exec(name);
  const problems = [];
  if (name.includes('curfew') && ours === null) {
    problems.push(`${place}: \`${name}\` is not called as @curfew/<package>.<what>.v<N>`);
  }
  if (ours !== null && ours[1] !== row.owner) {
    problems.push(`${place}: \`${name}\` is ${ours[1]}'s by its name and ${row.owner}'s by ${TABLE}`);
  }
  if (row.owner !== folder && !row.readers.includes(folder)) {
    problems.push(`${place}: ${TABLE} does not name ${folder} among those that know \`${name}\``);
  }
  return problems;
}

/** A row, or a reader, that no source bears out. */
function deadParts({ name, owner, readers }, slots, packages) {
  const here = slots.filter((it) => it.name === name);
  const isOurs = packages.some((it) => it.folder === owner);
  if (here.length === 0 || (isOurs && !here.some((it) => it.folder === owner))) {
    return [`${TABLE}: no source of ${isOurs ? owner : 'ours'} has \`${name}\``];
  }
  return readers
    .filter((reader) => !packages.some((pkg) => pkg.folder === reader && knows(pkg, here)))
    .map((reader) => `${TABLE}: ${reader} does not read \`${name}\``);
}

/** Whether a package writes a name itself, or takes the constant from the package that does. */
function knows({ folder, words }, slots) {
  return slots.some((it) => it.folder === folder || (it.constant !== undefined && words.has(it.constant)));
}

/** What a package reads of another through the constant that it exports. */
function unlistedReads({ folder, words }, rows, slots) {
  return slots.flatMap(({ name, constant, folder: owner }) => {
    if (owner === folder || !SHARED.test(constant ?? '') || !words.has(constant)) return [];
    const row = rows.find((it) => it.name === name);
    if (row === undefined || row.owner === folder || row.readers.includes(folder)) return [];
    return [`${TABLE}: ${folder} reads \`${name}\` and is not named`];
  });
}

/** Constants that are exported are called so; two packages may well have a `SLOT` each. */
const SHARED = /_KEY$/;

main(import.meta.url, checkSlots);
