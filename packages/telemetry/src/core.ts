import { clock as clockInForce, Flag, nodeOf as nodeOfContext } from '@curfew/context/spi';

// What every life asks of the core, found once: among all that the core exports, a name is found slower than it is used.

export const clock = clockInForce;
export const nodeOf = nodeOfContext;
export const { LONG_LIVED } = Flag;
