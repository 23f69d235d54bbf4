// Small mistakes that somebody could make in a source, one at a time: what a test must notice.
import ts from 'typescript';

/** Pairs of operators of which one is easily taken for the other; boundaries above all. */
const SWAPPED = new Map(
  [
    ['<', '<='],
    ['>', '>='],
    ['+', '-'],
    ['*', '/'],
    ['+=', '-='],
    ['<<', '>>'],
  ].flatMap(([one, other]) => [
    [one, other],
    [other, one],
  ]),
);
const NEGATED = new Map([
  ['===', '!=='],
  ['!==', '==='],
]);
const LOGICAL = new Set(['&&', '||', '??']);

/**
 * The mutations of a source. Each is known by its `key`, which holds no line number, so that it outlives edits
 * elsewhere: the function, what stood there, what stands there instead, and a number where that is not unique.
 */
export function mutationsOf(name, text) {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const seen = new Map();

  const replace = (node, by) => {
    const was = oneLine(node.getText(source));
    const plain = `${functionAround(node, source)}: ${was} → ${by === '' ? 'nothing' : oneLine(by)}`;
    const count = (seen.get(plain) ?? 0) + 1;
    seen.set(plain, count);
    const start = node.getStart(source);
    found.push({
      key: count === 1 ? plain : `${plain} #${count}`,
      line: source.getLineAndCharacterOfPosition(start).line + 1,
      text: text.slice(0, start) + (by === '' ? ';' : by) + text.slice(node.getEnd()),
    });
  };

  const visit = (node) => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isImportDeclaration(node)) return;
    mutate(node, replace, source);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function mutate(node, replace, source) {
  const textOf = (it) => it.getText(source);
  if (isDroppable(node)) replace(node, '');
  else if (ts.isIfStatement(node)) mutateCondition(node.expression, replace);
  else if (ts.isConditionalExpression(node)) mutateCondition(node.condition, replace);
  else if (ts.isWhileStatement(node) || ts.isDoStatement(node)) replace(node.expression, 'false');
  else if (ts.isForStatement(node) && node.condition !== undefined) replace(node.condition, 'false');
  else if (ts.isArrowFunction(node) && callsOnly(node.body)) replace(node.body, 'undefined');
  else if (isFlag(node)) replace(node, node.kind === ts.SyntaxKind.TrueKeyword ? 'false' : 'true');
  else if (ts.isPropertyAccessExpression(node) && textOf(node) === 'Math.max') replace(node, 'Math.min');
  else if (ts.isPropertyAccessExpression(node) && textOf(node) === 'Math.min') replace(node, 'Math.max');
  else if (ts.isBinaryExpression(node)) mutateBinary(node, replace, textOf);
  else if (isCount(node)) {
    const operator = node.operator === ts.SyntaxKind.PlusPlusToken ? '--' : '++';
    replace(
      node,
      ts.isPrefixUnaryExpression(node) ? operator + textOf(node.operand) : textOf(node.operand) + operator,
    );
  }
}

function mutateBinary(node, replace, textOf) {
  const { left, right, operatorToken } = node;
  const operator = textOf(operatorToken);
  const withOperator = (other) => `${textOf(left)} ${other} ${textOf(right)}`;
  if (LOGICAL.has(operator)) {
    replace(node, `(${textOf(left)})`);
    replace(node, `(${textOf(right)})`);
  } else if (SWAPPED.has(operator) && ![left, right].some(isText)) {
    replace(node, withOperator(SWAPPED.get(operator)));
  } else if (NEGATED.has(operator) && !isAsked(node)) {
    replace(node, withOperator(NEGATED.get(operator)));
  }
}

/** Of several, each operand is left out besides; then one of the two answers is among these already. */
function mutateCondition(condition, replace) {
  if (!isJoined(condition, ts.SyntaxKind.AmpersandAmpersandToken)) replace(condition, 'true');
  if (!isOr(condition)) replace(condition, 'false');
}

const isOr = (node) => isJoined(node, ts.SyntaxKind.BarBarToken);

function isJoined(node, operator) {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === operator;
}

/** Whether a comparison is a condition, or a part of one: both answers are tried there already. */
function isAsked(node) {
  const { parent } = node;
  if (ts.isParenthesizedExpression(parent)) return isAsked(parent);
  if (ts.isBinaryExpression(parent)) return LOGICAL.has(parent.operatorToken.getText());
  if (ts.isConditionalExpression(parent)) return parent.condition === node;
  return ts.isIfStatement(parent) || ts.isWhileStatement(parent);
}

/** Statements that the compiler does not miss. */
function isDroppable(node) {
  if (isAllOfBranch(node)) return false;
  if (ts.isExpressionStatement(node)) {
    return !(
      ts.isCallExpression(node.expression) && node.expression.expression.kind === ts.SyntaxKind.SuperKeyword
    );
  }
  if (ts.isReturnStatement(node)) return node.expression === undefined;
  if (ts.isBreakStatement(node)) return !ts.isCaseOrDefaultClause(node.parent);
  return ts.isContinueStatement(node) || ts.isThrowStatement(node);
}

/** Without it the branch does nothing, as if its condition were false: that is tried already. */
function isAllOfBranch(node) {
  if (node.parent === undefined) return false;
  const alone = ts.isBlock(node.parent) && node.parent.statements.length === 1;
  const branch = alone ? node.parent : node;
  const { parent } = branch;
  if (!ts.isIfStatement(parent) || parent.thenStatement !== branch) return false;
  return parent.elseStatement === undefined && !isOr(parent.expression);
}

/** Whether an arrow function is there for the call that it makes. */
function callsOnly(body) {
  return ts.isCallExpression(body) || (ts.isVoidExpression(body) && ts.isCallExpression(body.expression));
}

/** Where it is compared with, the comparison is mutated. */
function isFlag(node) {
  if (node.kind !== ts.SyntaxKind.TrueKeyword && node.kind !== ts.SyntaxKind.FalseKeyword) return false;
  return !ts.isBinaryExpression(node.parent) || node.parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;
}

function isCount(node) {
  return (
    (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
    (node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken)
  );
}

function isText(node) {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}

function functionAround(node, source) {
  for (let up = node.parent; up !== undefined; up = up.parent) {
    const named = ts.isFunctionLike(up) || ts.isVariableDeclaration(up) ? up.name : undefined;
    if (named !== undefined && (ts.isFunctionLike(up) || ts.isSourceFile(up.parent.parent.parent))) {
      return named.getText(source);
    }
  }
  return 'top';
}

const LONGEST = 120;

function oneLine(text) {
  const line = text.replace(/\s+/g, ' ');
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}
