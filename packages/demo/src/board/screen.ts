/** Where the demo speaks: a terminal, whose table is redrawn in place, or anything else, which gets plain lines. */
export interface Screen {
  readonly live: boolean;
  /** A line that stays. */
  readonly say: (line: string) => void;
  /** Draws the table over the one before it. Only on a live screen. */
  readonly draw: (lines: readonly string[]) => void;
  /** Leaves the table where it is, and goes on below it. */
  readonly release: () => void;
}

/** The part of a tty.WriteStream that is used. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const UP = (lines: number) => `\u001b[${lines}A`;
const CLEAR_BELOW = '\r\u001b[0J';

export function screenOn(output: Output, term: string | undefined): Screen {
  const live = output.isTTY === true && term !== 'dumb';
  let drawn: readonly string[] = [];
  let height = 0;
  const erase = () => (height === 0 ? '' : `${UP(height)}${CLEAR_BELOW}`);
  const fit = (lines: readonly string[]) => {
    // A line that wraps, or one that scrolls off the top, cannot be drawn over again.
    const columns = (output.columns ?? 80) - 1;
    return lines.slice(0, Math.max(1, (output.rows ?? 24) - 1)).map((line) => line.slice(0, columns));
  };
  const paint = (before: string) => {
    const lines = fit(drawn);
    output.write(before + lines.map((line) => `${line}\n`).join(''));
    height = lines.length;
  };
  return {
    live,
    say(line) {
      if (height === 0) output.write(`${line}\n`);
      else paint(`${erase()}${line}\n`);
    },
    draw(lines) {
      const before = erase();
      drawn = lines;
      paint(before);
    },
    release() {
      drawn = [];
      height = 0;
    },
  };
}
