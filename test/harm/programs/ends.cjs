// A script, which ends in one of the ways that scripts end in, after it has called somebody.
const ENDS = {
  itself: () => {},
  code: () => (process.exitCode = 7),
  exit: () => process.exit(5),
  throw: () => {
    throw new Error('out of luck');
  },
  reject: () => void Promise.reject(new Error('out of luck')),
  abort: () => void Promise.reject(new DOMException('This operation was aborted', 'AbortError')),
};

void (async () => {
  console.log(await (await fetch(`${process.env.UPSTREAM}/quick/${process.env.KEY}`)).text());
  setImmediate(ENDS[process.env.END]);
})();
