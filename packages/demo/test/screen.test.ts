import { screenOn } from '../src/board/screen';

function terminal(size: { isTTY?: boolean; columns?: number; rows?: number }) {
  const written: string[] = [];
  return { ...size, written, write: (text: string) => written.push(text) };
}

describe('the screen', () => {
  test('what is no terminal, or a dumb one, is not live and gets plain lines', () => {
    const pipe = terminal({});
    const screen = screenOn(pipe, 'xterm');
    screen.say('hello');
    expect(screen.live).toBe(false);
    expect(pipe.written).toEqual(['hello\n']);
    expect(screenOn(terminal({ isTTY: true }), 'dumb').live).toBe(false);
  });

  test('a table is drawn over the one before it, also when its height changes', () => {
    const output = terminal({ isTTY: true, columns: 80, rows: 24 });
    const { draw } = screenOn(output, 'xterm');
    draw(['one', 'two']);
    draw(['one', 'two', 'three']);
    draw(['one']);
    expect(output.written).toEqual([
      'one\ntwo\n',
      '\u001b[2A\r\u001b[0Jone\ntwo\nthree\n',
      '\u001b[3A\r\u001b[0Jone\n',
    ]);
  });

  test('a line said meanwhile stays above the table', () => {
    const output = terminal({ isTTY: true, columns: 80, rows: 24 });
    const { draw, say } = screenOn(output, 'xterm');
    draw(['table']);
    say('orders ended (SIGKILL)');
    expect(output.written.at(-1)).toBe('\u001b[1A\r\u001b[0Jorders ended (SIGKILL)\ntable\n');
  });

  test('in a small window the table is cut, since what wraps or scrolls away cannot be drawn over', () => {
    const output = terminal({ isTTY: true, columns: 6, rows: 3 });
    screenOn(output, 'xterm').draw(['0123456789', 'b', 'c', 'd']);
    expect(output.written).toEqual(['01234\nb\n']);
  });

  test('once released, the table stays and the rest comes below it', () => {
    const output = terminal({ isTTY: true, columns: 80, rows: 24 });
    const { draw, release, say } = screenOn(output, 'xterm');
    draw(['table']);
    release();
    say('bye');
    expect(output.written).toEqual(['table\n', 'bye\n']);
  });
});
