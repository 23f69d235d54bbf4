import { HELP, readArguments } from '../src/arguments';

describe('the command line', () => {
  test.each([
    [
      'an unknown flag is named, and what to do',
      ['--sceonds', '3'],
      'unknown flag --sceonds: --help lists the flags',
    ],
    ['a word that is no flag is named as well', ['30'], 'unknown flag 30: --help lists the flags'],
    ['a name that every object has is no flag', ['toString'], 'unknown flag toString'],
    [
      'a non-number is shown as it was typed',
      ['--seconds', 'soon'],
      "--seconds cannot be 'soon': --seconds takes",
    ],
    ['a flag at the end lacks its value', ['--rate'], '--rate lacks its value'],
    ['an empty value is a missing one', ['--rate='], '--rate lacks its value'],
    ['zero seconds are too few', ['--seconds', '0'], "cannot be '0'"],
    ['a number in hexadecimal is a typing error', ['--rate', '0x10'], "cannot be '0x10'"],
    ['a rate that no laptop bears is refused', ['--rate=100000'], "cannot be '100000'"],
    ['half a port does not exist', ['--gateway-port', '80.5'], "cannot be '80.5'"],
    ['a port beyond the last does not exist', ['--gateway-port', '65536'], "cannot be '65536'"],
    ['three ports must fit from the first one on', ['--metrics-port', '65534'], "cannot be '65534'"],
    ['a negative port does not exist', ['--gateway-port', '-1'], "cannot be '-1'"],
  ])('%s', (_, argv, message) => {
    expect(() => readArguments(argv)).toThrow(message);
    // One line, since a stack trace helps nobody who mistyped.
    expect(() => readArguments(argv)).toThrow(/^[^\n]+$/);
  });

  test('without flags it runs until it is stopped, on default ports', () => {
    expect(readArguments([])).toEqual({
      seconds: undefined,
      rate: 20,
      gatewayPort: undefined,
      metricsPort: undefined,
    });
  });

  test('flags take their value after a space or an equals sign, and the last one counts', () => {
    const argv = ['--seconds=1.5', '--rate', '7', '--gateway-port', '0', '--metrics-port=9000', '--rate=8'];
    expect(readArguments(argv)).toEqual({ seconds: 1.5, rate: 8, gatewayPort: 0, metricsPort: 9000 });
  });

  test('help is asked for in two ways, and names every flag', () => {
    expect(readArguments(['--seconds', '3', '--help'])).toBe('help');
    expect(readArguments(['-h'])).toBe('help');
    for (const flag of ['--seconds', '--rate', '--gateway-port', '--metrics-port', '--help']) {
      expect(HELP).toContain(flag);
    }
  });
});
