import { parseExposition, sumOf } from '../src/board/exposition';

describe("Prometheus's text format", () => {
  test('a label may hold braces, commas, quotes, backslashes and newlines', () => {
    const [sample] = parseExposition('m{a="}",b="x,y=\\"z\\"",c="\\\\n\\n"} 1\n');
    expect(sample).toEqual({ name: 'm', labels: { a: '}', b: 'x,y="z"', c: '\\n\n' }, value: 1 });
  });

  test('numbers come as JavaScript and Go write them', () => {
    const text = 'a 1e-05\nb 0.00001\nc +Inf\nd -Inf\ne NaN\nf 1.5E+3\ng -2 1700000000000\n';
    expect(parseExposition(text).map(({ value }) => value)).toEqual([
      1e-5,
      1e-5,
      Infinity,
      -Infinity,
      NaN,
      1500,
      -2,
    ]);
  });

  test('comments, empty lines and empty label lists are fine', () => {
    expect(
      parseExposition('# HELP m text {with} "anything"\n# TYPE m counter\n\nm{} 1\nn{a="b",} 2\n'),
    ).toEqual([
      { name: 'm', labels: {}, value: 1 },
      { name: 'n', labels: { a: 'b' }, value: 2 },
    ]);
    expect(parseExposition('')).toEqual([]);
  });

  test.each([
    ['no value', 'm{a="b"}\n'],
    ['a value that is no number', 'm one\n'],
    ['a hexadecimal value', 'm 0x10\n'],
    ['two spaces', 'm  1\n'],
    ['a label without quotes', 'm{a=b} 1\n'],
    ['a label that comes twice', 'm{a="1",a="2"} 1\n'],
    ['labels without a comma', 'm{a="1"b="2"} 1\n'],
    ['an open label list', 'm{a="1" 1\n'],
    ['an unknown escape', 'm{a="\\t"} 1\n'],
    ['a name with a dot', 'curfew.context 1\n'],
    ['the same series twice, its labels in another order', 'm{a="1",b="2"} 1\nm{b="2",a="1"} 1\n'],
    ['no newline at the end', 'm 1'],
  ])('%s is refused, as by a Prometheus', (_, text) => {
    expect(() => parseExposition(text)).toThrow(SyntaxError);
  });

  test('a sum takes the series that carry the labels, whatever else they carry', () => {
    const samples = parseExposition('m{a="1",b="x"} 1\nm{a="1",b="y"} 2\nm{a="2",b="x"} 4\nmm{a="1"} 8\n');
    expect(sumOf(samples, 'm', { a: '1' })).toBe(3);
    expect(sumOf(samples, 'm')).toBe(7);
    expect(sumOf(samples, 'absent')).toBe(0);
  });
});
