import { patchMethod, type Patch } from '@curfew/context/spi';

type Say = (this: unknown, what: string) => string;

/** A patch that marks what it sees, as long as it is wanted. */
const marking =
  (mark: string) =>
  (original: Say, patch: Patch): Say =>
    function (this: unknown, what) {
      const said = Reflect.apply(original, this, [what]);
      return patch.on ? `${said}${mark}` : said;
    };

function speaker() {
  return {
    name: 'A',
    say(this: unknown, what: string): string {
      return `${(this as { name: string }).name}: ${what}`;
    },
  };
}

test('patches are undone in the order in which they were not put: each goes, and what is called last is the original', () => {
  const target = speaker();
  const { say } = target;
  const undoFirst = patchMethod(target, 'say', marking('1'));
  const undoSecond = patchMethod(target, 'say', marking('2'));
  expect(target.say('x')).toBe('A: x12');
  undoFirst();
  expect(target.say('x')).toBe('A: x2');
  undoSecond();
  expect(target.say('x')).toBe('A: x');
  expect(target.say).not.toBe(say);
});

test("undone under somebody else's patch, ours passes on and theirs stays; undoing twice is undoing once", () => {
  const target = speaker();
  const undo = patchMethod(target, 'say', marking('!'));
  const ours = target.say;
  const theirs = (what: string) => Reflect.apply(ours, target, [what.toUpperCase()]);
  target.say = theirs;
  undo();
  expect(target.say).toBe(theirs);
  expect(target.say('x')).toBe('A: X');
  const after = speaker().say;
  target.say = after;
  undo();
  expect(target.say).toBe(after);
});

test('undone with nobody on top, the very method is back', () => {
  const target = speaker();
  const { say } = target;
  patchMethod(target, 'say', marking('!'))();
  expect(target.say).toBe(say);
});

test('what asks a method for its name or its arguments learns of no patch', () => {
  const target = speaker();
  patchMethod(
    target,
    'say',
    (original) =>
      function (this: unknown, ...args: unknown[]) {
        return Reflect.apply(original, this, args as [string]);
      },
  );
  expect([target.say.name, target.say.length]).toEqual(['say', 1]);
});

test('what is no method, and an object that takes no other, are refused before anything is patched', () => {
  expect(() => patchMethod({ say: 1 } as never, 'say' as never, () => undefined as never)).toThrow(
    new TypeError('say must be a function, got 1'),
  );
  const frozen = Object.freeze(speaker());
  const { say } = frozen;
  expect(() => patchMethod(frozen, 'say', marking('!'))).toThrow(TypeError);
  expect(frozen.say).toBe(say);
});
