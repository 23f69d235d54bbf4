import { checkFunction } from './arguments';

/** Whether a patch is still wanted. */
export interface Patch {
  /** `false` from its undoing on. One that somebody has patched over stays where it is, and passes everything on. */
  readonly on: boolean;
}

/**
 * Puts a method over another one's, with its name and its length; returns how to undo it. Patches can be undone in any
 * order, and twice: where somebody has patched over this one meanwhile, theirs stays, and this one has to ask
 * `patch.on` at each call and pass on what it gets. Where the method is inherited, patch the object that has it.
 *
 * @param make Makes the method from the one that is there, which it calls with the `this` that it gets.
 * @throws TypeError if there is no such method, or the object takes no other.
 * @example
 * ```ts
 * import { patchMethod } from '@curfew/context/spi';
 * const greeter = { whom: 'world', greet: () => 'nobody' };
 * greeter.greet = function greet() {
 *   return `hello, ${this.whom}`;
 * };
 * const undo = patchMethod(greeter, 'greet', (greet, patch) => {
 *   return function (this: unknown) {
 *     return patch.on ? `${Reflect.apply(greet, this, [])}!` : Reflect.apply(greet, this, []);
 *   };
 * });
 * [greeter.greet(), greeter.greet.name]; // => ['hello, world!', 'greet']
 * undo();
 * greeter.greet(); // => 'hello, world'
 * ```
 */
export function patchMethod<T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (original: T[K], patch: Patch) => T[K],
): () => void {
  const original = target[name];
  checkFunction(original, String(name));
  const patch = { on: true };
  const replacement = make(original, patch);
  for (const key of ['name', 'length'] as const) {
    Object.defineProperty(replacement, key, {
      value: Reflect.get(original as object, key),
      configurable: true,
    });
  }
  target[name] = replacement;
  return () => {
    patch.on = false;
    if (target[name] === replacement) target[name] = original;
  };
}
