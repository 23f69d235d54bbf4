import { allowedHosts } from '@curfew/propagation';

describe('the default', () => {
  const allowed = allowedHosts();
  test.each([
    'example.com',
    '8.8.8.8',
    '172.32.0.1',
    '172.15.0.1',
    '192.169.0.1',
    '11.0.0.1',
    '169.254.169.254',
    '.internal',
    'evil.internal.com',
    'localhost.com',
    '10.0.0.1.evil.com',
    '127.0.0.1.nip.io',
    '2130706433',
    '0x7f000001',
    '[2001:db8::1]',
    '::ffff:8.8.8.8',
    '[::ffff:808:808]',
    '',
    undefined,
    5,
  ])('tells nothing to %j', (host) => expect(allowed(host)).toBe(false));
  test.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'app.localhost',
    'payments',
    'payments_v2',
    '127.0.0.1',
    '127.9.9.9',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '::1',
    '[::1]',
    '[fd00::1]',
    '[fe80::1]',
    '::ffff:10.0.0.1',
    '[::ffff:a00:1]',
    'db.internal',
    'printer.local',
    'a.b.svc',
    'a.b.svc.cluster.local',
  ])('tells the budget to %j', (host) => expect(allowed(host)).toBe(true));
});

describe('a list', () => {
  test('replaces the default, and an empty one tells nobody', () => {
    expect(allowedHosts(['api.example.com'])('localhost')).toBe(false);
    expect(allowedHosts([])('localhost')).toBe(false);
  });
  test('matches hosts exactly, in any case, and suffixes at a dot', () => {
    const allowed = allowedHosts(['API.example.com', '*.example.org', '::1']);
    expect(['api.EXAMPLE.com', 'x.example.org', 'y.x.example.org.', '[::1]'].map(allowed)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(
      ['example.com', 'x.api.example.com', 'example.org', 'evilexample.org', 'x.example.org.evil.net'].map(
        allowed,
      ),
    ).toEqual([false, false, false, false, false]);
  });
  test('takes the default in with private, and everything with *', () => {
    expect(allowedHosts(['private', 'a.com'])('localhost')).toBe(true);
    expect(allowedHosts(['*'])('anything.com')).toBe(true);
  });
  test.each(['http://a.com', 'a.com:80', 'a.*', '**.a.com', '', 'a com', 5])('refuses %j', (entry) => {
    expect(() => allowedHosts([entry as string])).toThrow(TypeError);
  });

  test.each(['private', 7, null])('is refused where it is no list: %j', (list) => {
    expect(() => allowedHosts(list as never)).toThrow(/^allow must be an array of hosts, got/);
  });
  test('answers the same after more hosts than it remembers', () => {
    const allowed = allowedHosts(['*.a.com']);
    for (let i = 0; i < 2_500; i++) expect(allowed(`h${i}.a.com`)).toBe(true);
    expect(allowed('h1.b.com')).toBe(false);
  });
});
