import { diag } from '@opentelemetry/api';
import type { Family } from './collect';

/** The ways by which a Prometheus may scrape the figures of a process. */
export type ScrapeWay = 'opentelemetry' | 'prom-client';

/** What one telemetry's figures were last scraped by, and how often that changed. */
interface Scrapes {
  last: ScrapeWay | undefined;
  turns: number;
}

/** By the function that reads a telemetry's figures, which all ways out of it share. */
const scrapes = new WeakMap<() => readonly Family[], Scrapes>();

/** OpenTelemetry, prom-client, OpenTelemetry, prom-client: both are in use, and neither was only tried once. */
const TURNS_OF_BOTH = 4;

/**
 * Notes that figures were scraped, and warns once for each telemetry when both ways are scraped in turns: their
 * series differ in labels, so that one Prometheus with both adds everything up twice. A try of the one, or a move
 * from the one to the other, is no double scrape and is passed over in silence; two Prometheus servers that each
 * scrape one way cannot be told from one that scrapes both.
 */
export function noteScrape(families: () => readonly Family[], by: ScrapeWay): void {
  const noted = scrapes.get(families) ?? { last: undefined, turns: 0 };
  scrapes.set(families, noted);
  if (noted.last === by) return;
  noted.last = by;
  noted.turns++;
  if (noted.turns !== TURNS_OF_BOTH) return;
  diag.warn(
    "@curfew/telemetry: prom-client's registry and OpenTelemetry's Prometheus exporter are both scraped. " +
      'If it is by the same Prometheus, every sum is twice what it should be: keep one of them.',
  );
}
