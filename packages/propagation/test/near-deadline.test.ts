import { isNearDeadline } from '@curfew/propagation';

test.each([
  [20, 100, false],
  [19.9, 100, true],
  [100, 1_000, false],
  [99.9, 1_000, true],
  [-5, 1_000, true],
  [0, 0, true],
])('a close with %s ms left of a budget of %s ms is the deadline itself: %s', (left, budget, near) => {
  expect(isNearDeadline(left, budget)).toBe(near);
});
